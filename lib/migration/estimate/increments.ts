// SPDX-License-Identifier: Apache-2.0

/** What a device had changed in a stretch of time that ended with an image of it. */
interface Increment {
  readonly ms: number
  readonly bytes: number
}

/** A guess at how a device writes: at a rate, in bytes a ms, into a working set. */
interface Pace {
  readonly shape: Shape
  readonly rate: number
  readonly workingSet: number
}

type Shape = keyof typeof shapes

/**
 * How a working set fills: page by page in turn, or at random, where more and more writes hit what is changed already.
 * `written` are bytes of writes; `of` answers how many bytes have changed, `inverse` which writes that took.
 */
const shapes = {
  inTurn: {
    of: (written: number, set: number) => Math.min(written, set),
    inverse: (changed: number) => changed,
  },
  atRandom: {
    of: (written: number, set: number) => (set === Infinity ? written : set * -Math.expm1(-written / set)),
    inverse: (changed: number, set: number) =>
      set === Infinity ? changed : -set * Math.log1p(-changed / set),
  },
} as const

/** Working sets that are tried, as multiples of the largest increment. Up to the first the largest one is a full set. */
const sizes = [1, 1.05, 1.2, 1.5, 2, 3, 5, 10]
/** From here a set counts as full, and tells nothing of the rate. */
const full = 0.93
/** An older increment counts this much less than the next: paces change. */
const fading = 0.6
/** How much better a working set must explain what was measured than none at all. */
const reluctance = 0.003
/** An increment that the best guess misses by more says that the pace has changed. */
const breakOfPace = Math.log(1.35)
const remembered = 10
/** An image has pages and a header: smaller differences say nothing. In bytes. */
const grain = 4096
const unprovenError = 0.3
const leastError = 0.05

/**
 * How much of a device changes in a time, learned from its increments: proportional to the time, until its working set is
 * full. A device that changes its pace is taken by its last increment.
 */
export class Increments {
  readonly #seen: Increment[] = []
  #pace: Pace | undefined
  #squaredError = unprovenError ** 2
  #peakRate = 0

  /** The relative error of what it foresees, as its past errors have it. */
  get error(): number {
    return Math.max(leastError, Math.sqrt(this.#squaredError))
  }

  /** The most bytes a ms that an increment ever came to. */
  get peakRate(): number {
    return this.#peakRate
  }

  /** Bytes that change in `ms`; undefined before the first increment. */
  at(ms: number): number | undefined {
    return this.#pace && changed(this.#pace, ms)
  }

  /** The image of `bytes` holds what changed in `ms`. */
  observe(ms: number, bytes: number): void {
    if (ms <= 0) return
    this.#learnError(this.at(ms), bytes)
    this.#peakRate = Math.max(this.#peakRate, bytes / ms)
    this.#seen.push({ ms, bytes })
    if (this.#seen.length > remembered) this.#seen.shift()
    this.#pace = bestPace(this.#seen)
    if (this.#seen.length > 1 && miss(this.#pace, { ms, bytes }) > breakOfPace) this.#forget()
  }

  #learnError(foreseen: number | undefined, bytes: number): void {
    if (foreseen === undefined) return
    const error = (bytes - foreseen) / Math.max(foreseen, grain)
    this.#squaredError = fading * this.#squaredError + (1 - fading) * Math.min(error ** 2, 1)
  }

  #forget(): void {
    this.#seen.splice(0, this.#seen.length - 1)
    this.#pace = bestPace(this.#seen)
  }
}

function changed({ shape, rate, workingSet }: Pace, ms: number): number {
  return shapes[shape].of(rate * ms, workingSet)
}

/** How far a pace is from an increment, as a logarithm: twice as much and half as much are equally wrong. */
function miss(pace: Pace, { ms, bytes }: Increment): number {
  return Math.abs(Math.log((changed(pace, ms) + grain) / (bytes + grain)))
}

function bestPace(seen: readonly Increment[]): Pace {
  const largest = Math.max(...seen.map(({ bytes }) => bytes))
  const sets = largest > 0 ? sizes.map(size => size * largest) : []
  const guesses = [
    fitted('inTurn', Infinity, seen),
    ...sets.flatMap(set => [fitted('inTurn', set, seen), fitted('atRandom', set, seen)]),
  ]
  const costs = guesses.map(pace => misfit(pace, seen) + (pace.workingSet === Infinity ? 0 : reluctance))
  return guesses[costs.indexOf(Math.min(...costs))] as Pace
}

/** The rate that goes with a working set: of the increments that have not filled it, the mean. */
function fitted(shape: Shape, workingSet: number, seen: readonly Increment[]): Pace {
  let [writes, time] = [0, 0]
  let leastFull = 0
  seen.forEach(({ ms, bytes }, index) => {
    const weight = fading ** (seen.length - 1 - index) / ms
    leastFull = Math.max(leastFull, bytes / ms)
    if (bytes > full * workingSet) return
    writes += weight * shapes[shape].inverse(bytes, workingSet)
    time += weight * ms
  })
  return { shape, workingSet, rate: time > 0 ? writes / time : leastFull }
}

function misfit(pace: Pace, seen: readonly Increment[]): number {
  let [sum, weights] = [0, 0]
  seen.forEach((increment, index) => {
    const weight = fading ** (seen.length - 1 - index)
    sum += weight * miss(pace, increment) ** 2
    weights += weight
  })
  return sum / weights
}
