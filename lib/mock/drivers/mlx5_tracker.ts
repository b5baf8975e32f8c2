// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { pageBytes, type Stretch } from '../state.ts'
import type { IovaSpan } from '../log_ranges.ts'
import type { DmaLog, Kernel } from './driver.ts'

const bytesOfPage = BigInt(pageBytes)

/**
 * The page tracker of mlx5: mlx5vf_start_page_tracker() and what belongs to it in drivers/vfio/pci/mlx5/cmd.c. The
 * workload writes by DMA to the I/O page of the number of each page of its state that it writes.
 */
export class Mlx5Tracker implements DmaLog {
  readonly #kernel: Kernel
  readonly #isDetached: () => boolean
  /** By the number of the I/O page: those that the workload writes. */
  readonly #written: Uint8Array
  /** Numbers of others. */
  readonly #others = new Set<bigint>()
  #spans: readonly IovaSpan[] | undefined
  #pageSize = 0
  #isBroken = false

  constructor(kernel: Kernel, isDetached: () => boolean) {
    this.#kernel = kernel
    this.#isDetached = isDetached
    this.#written = new Uint8Array(Math.ceil(kernel.options.size / pageBytes))
    kernel.firmware.onWrite = (pages, workingSet) => {
      if (this.#spans) this.#mark(pages, workingSet)
    }
    kernel.firmware.onDma = iova => {
      if (this.#isTracked(iova)) this.#others.add(iova / bytesOfPage)
    }
  }

  get isOn(): boolean {
    return this.#spans !== undefined
  }

  async start(pageSize: number, ranges: readonly IovaSpan[]): Promise<number> {
    const { maxRanges, maxSpan } = this.#kernel.options.dmaLog
    if (this.#isDetached()) return -errno.ENOTCONN
    if (this.#spans) return -errno.EINVAL
    const spans = combine(ranges, maxRanges)
    const total = spans.reduce((sum, { first, last }) => sum + last - first + 1n, 0n)
    if (total > BigInt(maxSpan)) return -errno.EOPNOTSUPP
    const begun = await this.#kernel.firmware.log('LOG_START', { pageSize, ranges: spans.length })
    if (begun.errno < 0) return begun.errno
    this.#kernel.firmware.workload.sync()
    this.#written.fill(0)
    this.#others.clear()
    this.#spans = spans
    this.#isBroken = false
    this.#pageSize = this.#chosen(pageSize)
    return this.#pageSize
  }

  stop(): Promise<number> {
    this.close()
    return Promise.resolve(0)
  }

  async report(iova: bigint, length: bigint, dirty: (iova: bigint, length: bigint) => void): Promise<number> {
    if (this.#spans === undefined) return -errno.EINVAL
    if (this.#isDetached()) return -errno.ENOTCONN
    if (this.#isBroken) return -errno.EIO
    const asked = await this.#kernel.firmware.log('LOG_REPORT', { iova, length })
    if (asked.errno < 0) return asked.errno
    if (this.#kernel.faults.take('TRACKER')) {
      this.#isBroken = true
      return -errno.EIO
    }
    this.#kernel.firmware.workload.sync()
    this.#report(iova, iova + length, dirty)
    return 0
  }

  close(): void {
    this.#spans = undefined
  }

  /** In pages of the tracker's own size: what was written in one is told, and forgotten, as a whole. */
  #report(from: bigint, end: bigint, dirty: (iova: bigint, length: bigint) => void): void {
    const size = BigInt(this.#pageSize)
    const count = BigInt(this.#written.length)
    const beyond = (end + bytesOfPage - 1n) / bytesOfPage
    const last = Number(beyond < count ? beyond : count)
    const first = Number(from / bytesOfPage < count ? from / bytesOfPage : count)
    for (let page = this.#next(first, last); page >= 0; page = this.#next(page, last)) {
      const iova = BigInt(page) * bytesOfPage
      const begin = iova - (iova % size)
      dirty(begin, size)
      this.#written.fill(0, Number(begin / bytesOfPage), Number((begin + size) / bytesOfPage))
    }
    for (const page of this.#others) {
      const iova = page * bytesOfPage
      if (iova < from || iova >= end) continue
      dirty(iova - (iova % size), size)
      this.#others.delete(page)
    }
  }

  #next(page: number, last: number): number {
    const found = this.#written.indexOf(1, page)
    return found < last ? found : -1
  }

  #mark({ first, count }: Stretch, workingSet: number): void {
    for (let k = 0, page = first; k < count; k++) {
      if (this.#isTracked(BigInt(page) * bytesOfPage)) this.#written[page] = 1
      page = page + 1 === workingSet ? 0 : page + 1
    }
  }

  #isTracked(iova: bigint): boolean {
    return this.#spans?.some(({ first, last }) => first <= iova && iova <= last) ?? false
  }

  /** The largest power of two that is not above what was wished for, within what the device can. */
  #chosen(wish: number): number {
    const { minPageSize, maxPageSize } = this.#kernel.options.dmaLog
    if (wish === 0) return maxPageSize
    return Math.min(maxPageSize, Math.max(minPageSize, 2 ** Math.floor(Math.log2(wish))))
  }
}

/** Closes the smallest gaps until there are no more than `most`, silently: vfio_combine_iova_ranges(). */
function combine(ranges: readonly IovaSpan[], most: number): IovaSpan[] {
  const spans = [...ranges]
  while (spans.length > most) {
    const gaps = spans.slice(1).map(({ first }, index) => first - (spans[index]?.last ?? 0n))
    const smallest = gaps.reduce((best, gap, index) => (gap < (gaps[best] ?? gap) ? index : best), 0)
    const [left, right] = spans.slice(smallest, smallest + 2)
    if (left && right) spans.splice(smallest, 2, { first: left.first, last: right.last })
  }
  return spans
}
