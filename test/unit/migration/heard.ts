// SPDX-License-Identifier: Apache-2.0
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { migrate, openDevice, type MigrationReport, type Participant } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { eventNames, type EventName } from '#lib/events.js'

/** A message and where it came. */
export interface Heard {
  readonly name: EventName
  readonly message: Readonly<Record<string, unknown>>
}

/** Everything that is published while `work` is done. */
export async function heardDuring(work: () => Promise<unknown>): Promise<Heard[]> {
  const all: Heard[] = []
  const listeners = eventNames.map(name => {
    const listener = (message: unknown): void => {
      all.push({ name, message: message as Heard['message'] })
    }
    subscribe(`vfio-migrate:${name}`, listener)
    return () => unsubscribe(`vfio-migrate:${name}`, listener)
  })
  try {
    await work()
  } finally {
    for (const forget of listeners) forget()
  }
  return all
}

/** A migration of two simulated devices that work. */
export async function move(participant: Participant = {}): Promise<MigrationReport> {
  const clock = new VirtualClock()
  const common = { clock, size: '256KiB', dirty: '1MiB/s' } as const
  await using from = await openDevice(new MockDevice({ ...common, name: 'source', seed: 1n }))
  await using to = await openDevice(new MockDevice({ ...common, name: 'destination', seed: 2n }))
  return await migrate({ from, to, participant })
}

/** What is published of one that fails at the participant's word, or does not. */
export async function heard({ isRefusedByParticipant = false } = {}): Promise<Heard[]> {
  const restored = (): void => {
    if (isRefusedByParticipant) throw new Error('not mine')
  }
  return await heardDuring(() => move({ quiesce: () => undefined, restored }).catch(() => undefined))
}
