// SPDX-License-Identifier: Apache-2.0

/** What so many bytes took, in ms. */
interface Cost {
  readonly bytes: number
  readonly ms: number
}

/** What SAVE, LOAD or a link carries in a ms where nothing was measured: a GB/s, a guess. */
export const assumedBytesPerMs = 1e6
/** A cost that was measured an age ago counts this much less than the one after it. */
const fading = 0.8
/** Below this a time is noise of the clock, in ms. */
const resolution = 0.01
/** How far a line is trusted before it has foreseen anything. */
const unprovenError = 0.25
const leastError = 0.05
/** Fewer bytes than these cost what a command costs: nothing follows from them for many. */
const few = 64 * 1024
/**
 * How much the assumed cost of no bytes weighs, beside measurements that weigh the reciprocal square of their ms: it may be
 * wrong by 5 ms, where a measurement errs by 7 %.
 */
const assumedWeight = (0.07 / 5) ** 2

/**
 * What bytes cost: `at(bytes)` = a + bytes / rate, as SAVE, LOAD and a link have it, fitted to what was measured so that
 * the errors relative to each measurement are least. It learns how well it foresees by being asked before it is told.
 */
export class CostLine {
  readonly #assumedMs: number
  readonly #costs: Cost[] = []
  #fixedMs = 0
  #msPerByte = 0
  #squaredError = unprovenError ** 2

  /** `assumedMs` is what nothing at all is taken to cost, as long as nothing small has been measured. */
  constructor(assumedMs: number) {
    this.#assumedMs = assumedMs
  }

  get isMeasured(): boolean {
    return this.#costs.length > 0
  }

  /** The relative error of what it foresees, as its past errors have it. */
  get error(): number {
    return Math.max(leastError, Math.sqrt(this.#squaredError))
  }

  /** What `bytes` take, in ms; undefined before anything was measured. */
  at(bytes: number): number | undefined {
    return this.isMeasured ? this.#fixedMs + bytes * this.#msPerByte : undefined
  }

  observe(bytes: number, ms: number): void {
    this.#learnError(this.at(bytes), ms)
    this.#costs.push({ bytes, ms })
    this.#fit()
  }

  #learnError(foreseen: number | undefined, ms: number): void {
    if (foreseen === undefined) return
    const error = (Math.max(ms, resolution) - foreseen) / Math.max(foreseen, resolution)
    this.#squaredError = fading * this.#squaredError + (1 - fading) * Math.min(error ** 2, 1)
  }

  /** Weighted least squares, by the normal equations; neither part of a cost is below zero. */
  #fit(): void {
    const measured = this.#costs.map(({ bytes, ms }, index) => {
      const weight = fading ** (this.#costs.length - 1 - index)
      return { bytes, ms, counts: weight / Math.max(ms, resolution) ** 2 }
    })
    const assumed = { bytes: 0, ms: this.#assumedMs, counts: assumedWeight }
    let [one, x, xx, y, xy] = [0, 0, 0, 0, 0]
    for (const { bytes, ms, counts } of [assumed, ...measured]) {
      one += counts
      x += counts * bytes
      xx += counts * bytes * bytes
      y += counts * ms
      xy += counts * bytes * ms
    }
    const determinant = one * xx - x * x
    const fixed = (y * xx - x * xy) / determinant
    const slope = (one * xy - x * y) / determinant
    const largest = Math.max(...measured.map(({ bytes }) => bytes))
    if (largest < few) this.#set(y / one, 1 / assumedBytesPerMs)
    else if (determinant > 0 && fixed >= 0 && slope >= 0) this.#set(fixed, slope)
    else if (slope < 0 || xx === 0) this.#set(y / one, 0)
    else this.#set(0, xy / xx)
  }

  #set(fixedMs: number, msPerByte: number): void {
    this.#fixedMs = fixedMs
    this.#msPerByte = msPerByte
  }
}
