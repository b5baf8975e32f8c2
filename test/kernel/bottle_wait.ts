// SPDX-License-Identifier: Apache-2.0
const deadlineMs = 20_000

/** Asks until `holds` does; debugfs tells of nothing by itself. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`it has not come true within ${deadlineMs} ms: ${String(holds)}`)
  }
}
