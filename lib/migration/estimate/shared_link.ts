// SPDX-License-Identifier: Apache-2.0

/** An image that is to go over a link. */
export interface Shipment {
  readonly readyMs: number
  readonly bytes: number
}

/** When each shipment has arrived, where all that are under way have the same share of a link of `bytesPerMs`. */
export function arrivals(shipments: readonly Shipment[], bytesPerMs: number): number[] {
  const arrived = shipments.map(({ readyMs }) => readyMs)
  let open = shipments.map(({ readyMs, bytes }, index) => ({ index, readyMs, left: bytes }))
  open = open.filter(({ left }) => left > 0)
  for (let now = 0; open.length > 0;) {
    const moving = open.filter(({ readyMs }) => readyMs <= now)
    const nextReady = Math.min(...open.filter(({ readyMs }) => readyMs > now).map(({ readyMs }) => readyMs))
    const least = Math.min(...moving.map(({ left }) => left))
    const arrivesAt = now + (least * moving.length) / bytesPerMs
    const isArrival = moving.length > 0 && arrivesAt <= nextReady
    const sent = isArrival ? least : ((nextReady - now) * bytesPerMs) / moving.length
    now = isArrival ? arrivesAt : nextReady
    for (const shipment of moving) {
      shipment.left -= sent
      if (shipment.left <= 0) arrived[shipment.index] = now
    }
    open = open.filter(({ left }) => left > 0)
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
