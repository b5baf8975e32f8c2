// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { DeviceCalls, OpenAnswer, SessionCalls } from '#lib/backend/seam.js'
import { errno } from '#lib/kernel/errno.js'
import { stateNumber } from '#lib/kernel/state.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'

export const E = errno
export const [STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P] = (
  ['STOP', 'RUNNING', 'STOP_COPY', 'RESUMING', 'RUNNING_P2P', 'PRE_COPY', 'PRE_COPY_P2P'] as const
).map(stateNumber) as [number, number, number, number, number, number, number]

const opened = new Set<{ close(): Promise<void> }>()

/** The device is closed at the end of the scenario where the scenario did not. */
export async function open(index = 0): Promise<DeviceCalls> {
  return keep(await addon.openCdev(`/dev/vfio/devices/vfio${index}`, '/dev/iommu', undefined))
}

export async function openInGroup(index = 0): Promise<DeviceCalls> {
  return keep(await addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, `0000:08:00.${2 + index}`))
}

export function keep(answer: OpenAnswer): DeviceCalls {
  assert.equal(answer.result, 0, answer.step)
  assert.ok(answer.calls)
  opened.add(answer.calls)
  return answer.calls
}

/** Moves the device along `states` into the last one, which opens a session. */
export async function enter(device: DeviceCalls, ...states: number[]): Promise<SessionCalls> {
  const { result, session } = await device.setStates(states)
  assert.equal(result, 0)
  assert.ok(session)
  opened.add(session)
  return session
}

/** Reads until the device has nothing now. */
export async function drain(session: SessionCalls, maxBytes = 1 << 20): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for (;;) {
    const { result, data } = await session.read(maxBytes, 0)
    if (result <= 0) return Buffer.concat(chunks)
    chunks.push(data)
  }
}

/** What has to be gone when its time is over; what is lent to JavaScript is gone when that is collected. */
export function alive(): { lanes: number; sessions: number; devices: number } {
  const { lanes, sessions, devices } = addon.census()
  return { lanes, sessions, devices }
}

/** Resolves when no more than `count` mappings are there. */
export async function buffersAre(count: number): Promise<void> {
  for (let i = 0; i < 200 && addon.census().buffers > count; i++) {
    globalThis.gc?.()
    await turn()
  }
  assert.equal(addon.census().buffers, count)
}

/** Threads end on their own after the fds are closed: gives them turns of the event loop, not time. */
export async function censusIsEmpty(): Promise<void> {
  const left = (): string[] =>
    Object.entries({ ...alive(), farEnds: addon.census().farEnds }).flatMap(([what, count]) =>
      count === 0 ? [] : [`${count} ${what}`],
    )
  for (let i = 0; i < 20_000 && left().length > 0; i++) await turn()
  assert.deepEqual(left(), [])
}

async function closeAll(): Promise<void> {
  await Promise.all([...opened].map(one => one.close()))
  opened.clear()
}

/**
 * A test on a machine as it is after a cold start. After it no fd, thread or session may be left, and every argument
 * must have been laid out as the kernel wants it.
 */
export function scenario(sentence: string, body: () => Promise<void> | void): void {
  it(sentence, async () => {
    kernel.tell('forget')
    kernel.tell('reset')
    try {
      await body()
    } finally {
      await closeAll()
    }
    assert.deepEqual(kernel.lines('MISMATCH'), [])
    assert.deepEqual(kernel.files(), [])
    await censusIsEmpty()
  })
}
