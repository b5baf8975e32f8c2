// SPDX-License-Identifier: Apache-2.0
import { errno } from '../kernel/errno.ts'

/** A stretch of I/O addresses, both ends included. */
export interface IovaSpan {
  readonly first: bigint
  readonly last: bigint
}

/** PAGE_SIZE / sizeof(struct vfio_device_feature_dma_logging_range). */
const maxRanges = 4096 / 16
const maxAddress = 2n ** 64n - 1n

/** What vfio_main.c checks before a driver's log_start, in its order: the ranges, ascending, or -errno. */
export function makeRanges(pageSize: number, flat: BigUint64Array): IovaSpan[] | number {
  const count = flat.length / 2
  if (count === 0) return -errno.EINVAL
  if (count > maxRanges) return -errno.E2BIG
  const spans: IovaSpan[] = []
  const mask = BigInt.asUintN(64, BigInt(pageSize) - 1n)
  for (let index = 0; index < flat.length; index += 2) {
    const [iova = 0n, length = 0n] = flat.subarray(index, index + 2)
    if ((iova & mask) !== 0n || (length & mask) !== 0n) return -errno.EINVAL
    if (iova + length > maxAddress) return -errno.EOVERFLOW
    const span = { first: iova, last: BigInt.asUintN(64, iova + length - 1n) }
    if (spans.some(({ first, last }) => first <= span.last && span.first <= last)) return -errno.EINVAL
    spans.push(span)
  }
  return spans.sort((a, b) => (a.first < b.first ? -1 : 1))
}

/**
 * What vfio_main.c checks before a driver's log_read_and_clear: what sets the bits of a stretch in `bitmap`, or -errno.
 * Bit k, least significant first, is the page at `iova + k * pageSize`.
 */
export function checkReport(
  iova: bigint,
  length: bigint,
  pageSize: number,
  bitmap: BigUint64Array,
): ((iova: bigint, length: bigint) => void) | number {
  const bytes = BigInt(pageSize)
  if (pageSize < 4096 || (bytes & (bytes - 1n)) !== 0n) return -errno.EINVAL
  if (iova + length > maxAddress) return -errno.EOVERFLOW
  return (from, span) => {
    const low = from < iova ? iova : from
    const end = from + span > iova + length ? iova + length : from + span
    for (let bit = (low - iova) / bytes; low < end && bit <= (end - 1n - iova) / bytes; bit++) {
      const word = Number(bit / 64n)
      bitmap[word] = (bitmap[word] ?? 0n) | (1n << (bit % 64n))
    }
  }
}
