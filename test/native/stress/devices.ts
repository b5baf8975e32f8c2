// SPDX-License-Identifier: Apache-2.0
import { openSync } from 'node:fs'
import type { DeviceBackend, OpenAnswer } from '#lib/backend/seam.js'
import { monotonicClock } from '#lib/clock.js'
import { addon } from '../preloaded/addon.js'
import { kernel } from '../preloaded/kernel.js'

/** As many as are used: the fake kernel has more. */
export const deviceCount = 16

export type Kind = 'mlx5' | 'mlx5 with firmware' | 'mtty'

/** Of every four: two that take any bytes, one whose firmware looks at them, one of another driver. */
export const kindOf = (index: number): Kind =>
  (['mlx5', 'mlx5', 'mlx5 with firmware', 'mtty'] as const)[index % 4] ?? 'mlx5'

/** The machine as it is after a cold start. Its log would only grow; a held call waits for the firmware alone. */
export function powerOn(): void {
  kernel.tell('reset')
  kernel.set('*', { log: false, hold: 1e9 })
  for (let index = 0; index < deviceCount; index++) {
    const kind = kindOf(index)
    kernel.set(index, { mtty: kind === 'mtty', model: kind === 'mlx5 with firmware', autosave: false })
  }
}

export type Way = 'opened' | 'lent'

async function open(index: number, way: Way): Promise<OpenAnswer> {
  if (way === 'lent') return addon.adopt(openSync(`/dev/vfio-fake/lent${index}`, 'r+'), {})
  return await addon.openCdev(`/dev/vfio/devices/vfio${index}`, '/dev/iommu', undefined)
}

/** Undefined where the device is open still: somebody who was ended, or forgot it, has a call in the kernel. */
export async function backendOf(index: number, way: Way): Promise<DeviceBackend | undefined> {
  const { result, step, calls } = await open(index, way)
  if (calls === undefined && step === 'VFIO_DEVICE_BIND_IOMMUFD') return undefined
  if (calls === undefined) throw new Error(`${step} of device ${index} answered ${result}`)
  return {
    name: `vfio${index}`,
    driver: kindOf(index) === 'mtty' ? 'mtty' : 'mlx5_vfio_pci',
    origin: way,
    via: 'backend',
    clock: monotonicClock,
    calls,
    barrier: addon.barrier,
  }
}
