// SPDX-License-Identifier: Apache-2.0

const limit = 16

/** Maps with a bounded number of calls under way: a host may have thousands of functions, and each file read takes an fd. */
export async function mapLimited<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const pending = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of pending) results[index] = await map(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return results
}
