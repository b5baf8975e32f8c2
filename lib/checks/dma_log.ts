// SPDX-License-Identifier: Apache-2.0

/** What is to be logged of a device's DMA, in bytes. */
export interface LoggedMemory {
  readonly ranges: readonly { readonly iova: bigint; readonly length: bigint }[]
  /** The page size that is wished for. */
  readonly pageSize: number
}

/** What is sure to fit into a page of the kernel's, as vfio.h says of num_ranges: 4096 / 16. */
const mostRanges = 256

/** The bits of 64 MiB, the longest bitmap that native/core/dma_log.cc takes. */
const mostPages = 2n ** 29n

/** IOVAs have 64 bits, and the end of a range has to be one, too: vfio_main.c refuses the last page. */
const lastEnd = 2n ** 64n - 1n

/**
 * What the kernel would refuse of every device, when the destination has given up what it held: source
 * vfio_ioctl_device_feature_logging_start() and _report() of drivers/vfio/vfio_main.c.
 *
 * @throws TypeError or RangeError that names what is wrong.
 */
export function checkLoggedMemory({ ranges, pageSize }: LoggedMemory): void {
  checkPageSize(pageSize)
  if (!Array.isArray(ranges) || ranges.length === 0 || !ranges.every(isRange))
    throw new TypeError(`'dmaLogging.ranges' is a list of { iova, length }, both bigint, and not empty`)
  if (ranges.length > mostRanges)
    throw new RangeError(
      `'dmaLogging.ranges' are ${ranges.length}, and may be at most ${mostRanges}: join neighbours`,
    )
  ranges.forEach((_, index) => checkRange(ranges, index, pageSize))
  checkApart(ranges)
}

type Ranges = LoggedMemory['ranges']

function checkPageSize(pageSize: unknown): void {
  if (typeof pageSize !== 'number') throw new TypeError(`'dmaLogging.pageSize' is a number of bytes`)
  if (!(pageSize >= 4096 && Number.isInteger(Math.log2(pageSize)) && Number.isSafeInteger(pageSize)))
    throw new RangeError(`'dmaLogging.pageSize' is a power of two from 4096, and not ${pageSize}`)
}

function isRange(range: unknown): boolean {
  const { iova, length } = (range ?? {}) as Readonly<Record<string, unknown>>
  return typeof iova === 'bigint' && typeof length === 'bigint'
}

function checkRange(ranges: Ranges, index: number, pageSize: number): void {
  const { iova = 0n, length = 0n } = ranges[index] ?? {}
  const bytes = BigInt(pageSize)
  const wrong = [
    (iova < 0n || length < 0n || iova + length > lastEnd) && 'leaves the addresses of 64 bits',
    length === 0n && 'has no bytes',
    (iova % bytes !== 0n || length % bytes !== 0n) && `is not made of pages of ${pageSize} bytes`,
    length > mostPages * bytes && `has more than ${mostPages} pages`,
  ].find(what => what !== false)
  if (wrong !== undefined)
    throw new RangeError(`'dmaLogging.ranges[${index}]', ${length} bytes at ${iova}, ${wrong}`)
}

/** In order of their addresses, each has to begin where the one before it has ended. */
function checkApart(ranges: Ranges): void {
  const sorted = ranges
    .map(({ iova, length }, index) => ({ from: iova, end: iova + length, index }))
    .sort((one, other) => (one.from < other.from ? -1 : one.from > other.from ? 1 : one.index - other.index))
  for (const [place, { from, index }] of sorted.entries()) {
    const before = sorted[place - 1]
    if (before === undefined || before.end <= from) continue
    const [first, second] = [index, before.index].sort((one, other) => one - other)
    throw new RangeError(`'dmaLogging.ranges[${second}]' and [${first}] overlap`)
  }
}
