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
/** Costs before the last so many weigh nothing. */
const remembered = 64
/** Below this a time is noise of the clock, in ms. */
const resolution = 0.01
/** How far a line is trusted before it has foreseen anything. */
const unprovenError = 0.25
const leastError = 0.05
/** How far a measurement may be wrong, and by how many ms at least the assumed cost of no bytes. */
const measuredError = 0.07
const assumedErrorMs = 5
/** Sizes nearer to each other do not tell what no bytes cost. */
const apart = 1.5

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

  /** `assumedMs` is what nothing at all is taken to cost, as long as what was measured does not tell it. */
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
    if (this.#costs.length > remembered) this.#costs.shift()
    this.#fit()
  }

  #learnError(foreseen: number | undefined, ms: number): void {
    if (foreseen === undefined) return
    const error = (Math.max(ms, resolution) - foreseen) / Math.max(foreseen, resolution)
    this.#squaredError = fading * this.#squaredError + (1 - fading) * Math.min(error ** 2, 1)
  }

  /**
   * Weighted least squares, by the normal equations: a measurement weighs the reciprocal square of its ms, and what is
   * assumed only tells where measurements do not. Neither part of a cost is below zero.
   */
  #fit(): void {
    const fixedWeight = (measuredError / this.#fixedError) ** 2
    const byteWeight = (measuredError / this.#assumedByteError) ** 2
    let [one, x, y] = [fixedWeight, 0, fixedWeight * this.#assumedMs]
    let [xx, xy] = [byteWeight, byteWeight / assumedBytesPerMs]
    this.#costs.forEach(({ bytes, ms }, index) => {
      const weight = fading ** (this.#costs.length - 1 - index) / Math.max(ms, resolution) ** 2
      one += weight
      x += weight * bytes
      xx += weight * bytes * bytes
      y += weight * ms
      xy += weight * bytes * ms
    })
    const determinant = one * xx - x * x
    const fixed = (y * xx - x * xy) / determinant
    const slope = (one * xy - x * y) / determinant
    if (slope < 0) this.#set(y / one, 0)
    else if (fixed < 0) this.#set(0, xy / xx)
    else this.#set(fixed, slope)
  }

  /** How far the cost of no bytes may be from the assumed one: where two sizes tell it, what was assumed hardly matters. */
  get #fixedError(): number {
    const assumed = Math.max(assumedErrorMs, this.#assumedMs)
    const sizes = this.#costs.map(({ bytes }) => bytes)
    if (Math.max(...sizes) < apart * Math.min(...sizes)) return assumed
    return Math.max(assumed, Math.min(...this.#costs.map(({ ms }) => ms)) / 2)
  }

  /** The cost of a byte may be off by what is assumed of it, or by all that no fixed cost explains. */
  get #assumedByteError(): number {
    const { ms, bytes } = this.#costs.reduce((a, b) => (a.bytes >= b.bytes ? a : b))
    const unexplained = Math.max(0, ms - this.#assumedMs - assumedErrorMs)
    return Math.max(1 / assumedBytesPerMs, unexplained / Math.max(bytes, 1))
  }

  #set(fixedMs: number, msPerByte: number): void {
    this.#fixedMs = fixedMs
    this.#msPerByte = msPerByte
  }
}
