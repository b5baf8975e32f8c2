// SPDX-License-Identifier: Apache-2.0
import { isMainThread } from 'node:worker_threads'
import { openDevice } from 'vfio-migrate'
import { backendOf, kindOf, type Way } from './devices.js'
import type { Holder } from './holder.js'

/**
 * What an mtty was left in is a trap, and a lent device is not reset out of it. A worker closes the fds at its end that were
 * opened in it, whoever was lent them and has closed them since.
 */
const wayOf = ({ index, dice }: Holder): Way =>
  isMainThread && kindOf(index) === 'mlx5' && dice.oneIn(2) ? 'lent' : 'opened'

const buffersFor = ({ dice }: Holder) => ({
  count: 1 + dice.below(8),
  bytes: dice.pick([4096, 1 << 16, 1 << 20, 1 << 20]),
})

export async function open(holder: Holder): Promise<void> {
  const way = wayOf(holder)
  const backend = await backendOf(holder.index, way)
  if (backend === undefined) return
  const device = await openDevice(backend, { buffers: buffersFor(holder) })
  if (holder.device === undefined) holder.own(device, way)
  else await device.close()
}

export async function setState(holder: Holder): Promise<void> {
  const target = holder.dice.pick([
    ...(['PRE_COPY', 'PRE_COPY', 'PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY', 'STOP_COPY'] as const),
    ...(['RESUMING', 'RESUMING', 'RUNNING', 'STOP', 'RUNNING_P2P'] as const),
  ])
  const options = { direct: holder.dice.oneIn(4), signal: holder.signal() }
  await holder.move(() => holder.has().setState(target, options))
}

export async function state(holder: Holder): Promise<void> {
  await holder.has().state()
}

export async function stopCopyBytes(holder: Holder): Promise<void> {
  await holder.has().stopCopyBytes()
}

export async function precopyInfo(holder: Holder): Promise<void> {
  await holder.has().precopyInfo({ waitMs: holder.dice.pick([0, 1, 100, 10_000]) })
}

export async function reset(holder: Holder): Promise<void> {
  await holder.move(() => holder.has().reset())
}

export async function close(holder: Holder): Promise<void> {
  const device = holder.has()
  holder.device = undefined
  await holder.move(() => device.close())
}

export function forget(holder: Holder): Promise<void> {
  holder.forget()
  return Promise.resolve()
}

export function abort({ aborts, dice }: Holder): Promise<void> {
  const controller = dice.pick([...aborts])
  if (controller !== undefined) aborts.delete(controller)
  controller?.abort()
  return Promise.resolve()
}

export function collectGarbage(): Promise<void> {
  globalThis.gc?.()
  return Promise.resolve()
}
