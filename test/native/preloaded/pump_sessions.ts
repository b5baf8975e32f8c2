// SPDX-License-Identifier: Apache-2.0
import type { PumpAnswer, SessionCalls } from '#lib/backend/seam.js'
import { kernel } from './kernel.js'
import { RESUMING, STOP_COPY, drain, enter, open } from './scenario.js'

export const mebibyte = 1 << 20
/** No limit to what a pump moves. */
export const unlimited = Number.MAX_SAFE_INTEGER
export const firstRecord = 24
export const header = 16
export const headers = firstRecord + header

export type Pumping = SessionCalls & Required<Pick<SessionCalls, 'pumpTo' | 'pumpFrom' | 'putTo'>>

/** Device 0 with such an image, in the last of `states`. */
export async function saving(image: number, ...states: number[]): Promise<Pumping> {
  const device = await open()
  kernel.set(0, { image })
  return (await enter(device, ...(states.length > 0 ? states : [STOP_COPY]))) as Pumping
}

export async function resuming(): Promise<Pumping> {
  return (await enter(await open(), RESUMING)) as Pumping
}

/** What a device with the same image gives to plain reads. */
export async function expected(image: number): Promise<Buffer> {
  const device = await open(1)
  kernel.set(1, { image })
  const session = await enter(device, STOP_COPY)
  const all = await drain(session)
  await session.close()
  return all
}

export const facts = ({ result, call, bytes }: PumpAnswer): unknown[] => [result, call, bytes]
