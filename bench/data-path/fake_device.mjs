// SPDX-License-Identifier: Apache-2.0
// Devices of the fake kernel, which is preloaded under this process: test/native/fake-kernel/control.c has its commands.
import { openSync, readSync, writeSync } from 'node:fs'
import { openDevice } from 'vfio-migrate'
import { loadAddon } from '../../dist/backend/native.js'
import { monotonicClock } from '../../dist/clock.js'

const control = openSync('/dev/vfio-fake/control', 'r+')
const logBytes = 2 ** 18

/** @param {string} command */
export function tell(command) {
  writeSync(control, command)
}

/** The calls so far, one a line. */
export function log() {
  tell('log')
  const buffer = Buffer.alloc(logBytes)
  return buffer.toString('utf8', 0, readSync(control, buffer)).split('\n')
}

/** @param {number} [index] */
export async function openFake(index = 0) {
  const { openCdev, barrier } = loadAddon()
  const { calls, step, result } = await openCdev(`/dev/vfio/devices/vfio${index}`, '/dev/iommu', undefined)
  if (!calls) throw new Error(`${step} of the fake device ${index} answers ${result}`)
  return openDevice({
    name: `fake ${index}`,
    driver: 'mlx5_vfio_pci',
    origin: 'opened',
    via: 'cdev',
    clock: monotonicClock,
    calls,
    barrier,
  })
}

/**
 * Opens the first one, and closes it after `use`.
 * @template T
 * @param {(device: import('vfio-migrate').Device) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withFake(use) {
  const device = await openFake()
  try {
    return await use(device)
  } finally {
    await device.close()
  }
}
