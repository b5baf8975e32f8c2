// SPDX-License-Identifier: Apache-2.0
import { channel, type Channel } from 'node:diagnostics_channel'

/** What is published of a migration, each on the channel `vfio-migrate:<name>`; docs/events.md says what the messages hold. */
export const eventNames = ['start', 'phase', 'arcs', 'bytes', 'round', 'moment', 'end'] as const

export type EventName = (typeof eventNames)[number]

const channels = Object.fromEntries(
  eventNames.map(name => [name, channel(`vfio-migrate:${name}`)]),
) as Readonly<Record<EventName, Channel>>

/** Tells whoever has subscribed; costs nothing where nobody has. */
export function publish(name: EventName, message: object): void {
  const { [name]: to } = channels
  if (to.hasSubscribers) to.publish(message)
}
