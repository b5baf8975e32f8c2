// SPDX-License-Identifier: Apache-2.0
// Something that flows at a rate that changes from slice to slice: bytes over a link, writes into a state.

/** A rate that is constant within each slice of time. */
export class Flow {
  #sliceMs
  #rate
  /** What has flowed by the beginning of each slice. */
  #sums = [0]

  /** @param {number} sliceMs @param {(slice: number) => number} rate a ms */
  constructor(sliceMs, rate) {
    this.#sliceMs = sliceMs
    this.#rate = rate
  }

  /** What has flowed since 0. @param {number} at in ms */
  until(at) {
    const slice = Math.floor(at / this.#sliceMs)
    this.#reach(slice)
    return this.#sums[slice] + (at - slice * this.#sliceMs) * this.#rate(slice)
  }

  /** @param {number} from @param {number} to */
  between(from, to) {
    return to > from ? this.until(to) - this.until(from) : 0
  }

  /** When `amount` has flowed since 0: of a flow that never ceases. @param {number} amount @returns {number} in ms */
  when(amount) {
    while (this.#sums[this.#sums.length - 1] <= amount) this.#reach(this.#sums.length)
    let [low, high] = [0, this.#sums.length - 1]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (this.#sums[middle] <= amount) low = middle
      else high = middle
    }
    return low * this.#sliceMs + (amount - this.#sums[low]) / this.#rate(low)
  }

  /** When `amount` has flowed since `from`. @param {number} from @param {number} amount */
  after(from, amount) {
    return amount > 0 ? Math.max(from, this.when(this.until(from) + amount)) : from
  }

  /** @param {number} slice */
  #reach(slice) {
    for (let next = this.#sums.length; next <= slice; next++) {
      this.#sums.push(this.#sums[next - 1] + this.#sliceMs * this.#rate(next - 1))
    }
  }
}

/**
 * When each of several shipments has arrived, where those under way share a flow evenly. In the flow's own measure it is
 * constant: there the one with the least left arrives next.
 * @param {Flow} flow @param {{ readyAt: number, bytes: number }[]} shipments @returns {number[]}
 */
export function shared(flow, shipments) {
  const jobs = shipments.map(({ readyAt, bytes }) => ({ from: flow.until(readyAt), left: bytes, end: -1 }))
  let now = Math.min(...jobs.map(({ from }) => from))
  for (;;) {
    const open = jobs.filter(({ end }) => end < 0)
    if (open.length === 0) break
    const moving = open.filter(({ from }) => from <= now)
    const next = Math.min(...open.filter(({ from }) => from > now).map(({ from }) => from))
    const least = Math.min(...moving.map(({ left }) => left))
    const step = moving.length === 0 ? next - now : Math.min(least * moving.length, next - now)
    now += step
    for (const job of moving) {
      const share = step / moving.length
      if (job.left <= share * (1 + 1e-12) + 1e-9) job.end = now
      job.left -= share
    }
  }
  return jobs.map(({ end }, index) =>
    shipments[index].bytes > 0
      ? Math.max(shipments[index].readyAt, flow.when(end))
      : shipments[index].readyAt,
  )
}
