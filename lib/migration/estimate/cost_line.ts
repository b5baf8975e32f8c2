// SPDX-License-Identifier: Apache-2.0

/** What so many bytes took, in ms. */
interface Cost {
  readonly bytes: number
  readonly ms: number
}

/** A cost that was measured an age ago counts this much less than the one after it. */
const fading = 0.8
/** Below this a time is noise of the clock, in ms. */
const resolution = 0.01
/** How far a line is trusted before it has foreseen anything. */
const unprovenError = 0.25
const leastError = 0.05

/**
 * What bytes cost: `at(bytes)` = a + bytes / rate, as SAVE, LOAD and a link have it, fitted to what was measured so that
 * the errors relative to each measurement are least. It learns how well it foresees by being asked before it is told.
 */
export class CostLine {
  readonly #costs: Cost[] = []
  #fixedMs = 0
  #msPerByte = 0
  #squaredError = unprovenError ** 2

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
    let [one, x, xx, y, xy] = [0, 0, 0, 0, 0]
    this.#costs.forEach(({ bytes, ms }, index) => {
      const weight = fading ** (this.#costs.length - 1 - index) / Math.max(ms, resolution) ** 2
      one += weight
      x += weight * bytes
      xx += weight * bytes * bytes
      y += weight * ms
      xy += weight * bytes * ms
    })
    const determinant = one * xx - x * x
    const isFlat = determinant <= 1e-6 * one * xx
    const fixed = isFlat ? 0 : (y * xx - x * xy) / determinant
    const slope = isFlat ? 0 : (one * xy - x * y) / determinant
    if (!isFlat && fixed >= 0 && slope >= 0) this.#set(fixed, slope)
    else if (slope < 0 || xx === 0) this.#set(y / one, 0)
    else this.#set(0, xy / xx)
  }

  #set(fixedMs: number, msPerByte: number): void {
    this.#fixedMs = fixedMs
    this.#msPerByte = msPerByte
  }
}
