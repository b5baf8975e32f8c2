// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises'

/** Against what never comes: a process takes half a minute to start on a machine that has its processors lent out. */
const deadlineMs = 120_000
/** Asked without a pause, it would keep a processor from whoever is to make it true. */
const askAgainMs = 10

/** Asks until `holds` does; debugfs tells of nothing by itself. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`it has not come true within ${deadlineMs} ms: ${String(holds)}`)
    await delay(askAgainMs)
  }
}
