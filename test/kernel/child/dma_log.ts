// SPDX-License-Identifier: Apache-2.0
// Logs the DMA of a lent device (fds 3 and 4) into two pages at an IOVA, until both have been written.
import { openDevice } from '#lib/index.js'

const pageSize = 4096

async function main(): Promise<void> {
  await using device = await openDevice({ fd: 3, iommufd: 4 })
  const { dmaLogging } = device
  const range = { iova: BigInt(process.argv[2] ?? 0), length: BigInt(2 * pageSize) }
  await dmaLogging.start({ pageSize, ranges: [range] })
  for (;;) {
    const [written] = await dmaLogging.report({ ...range, pageSize })
    if (written === 3n) break
  }
  await dmaLogging.stop()
}

void main()
