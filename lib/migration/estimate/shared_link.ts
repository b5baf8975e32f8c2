// SPDX-License-Identifier: Apache-2.0

/** An image that is to go over a link. */
export interface Shipment {
  readonly readyMs: number
  readonly bytes: number
}

/** When each shipment has arrived, where all that are under way have the same share of a link of `bytesPerMs`. */
export function arrivals(shipments: readonly Shipment[], bytesPerMs: number): number[] {
  const left = shipments.map(({ bytes }) => bytes)
  const arrived = shipments.map(({ readyMs }) => readyMs)
  const waiting = new Set([...left.keys()].filter(index => (left[index] ?? 0) > 0))
  for (let now = 0; waiting.size > 0;) {
    const moving = [...waiting].filter(index => (arrived[index] ?? 0) <= now)
    const nextReady = Math.min(...[...waiting].map(index => arrived[index] ?? 0).filter(at => at > now))
    if (moving.length === 0) {
      now = nextReady
      continue
    }
    const share = bytesPerMs / moving.length
    const shortest = Math.min(...moving.map(index => left[index] ?? 0))
    const until = Math.min(now + shortest / share, nextReady)
    for (const index of moving) {
      const rest = (left[index] ?? 0) - (until - now) * share
      left[index] = rest
      if (rest > shortest * 1e-9 + 1e-6 && until < Infinity) continue
      arrived[index] = until
      waiting.delete(index)
    }
    now = until
  }
  return arrived
}

/** A stretch in which bytes went over a link, in ms. */
export interface Sending {
  readonly from: number
  readonly to: number
}

/** For how long a link was in use: times at which several used it count once. */
export function busyMs(sendings: readonly Sending[]): number {
  let [sum, end] = [0, -Infinity]
  for (const { from, to } of [...sendings].sort((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, end))
    end = Math.max(end, to)
  }
  return sum
}
