// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend } from '../backend/seam.ts'
import { explainNotMigratable } from '../checks/migratable.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { findDevice } from '../host/find.ts'
import { kernelFacts } from '../host/kernel.ts'
import { driverManners } from '../kernel/drivers.ts'
import { errno } from '../kernel/errno.ts'
import { capabilitiesOf, feature, operation } from '../kernel/feature.ts'
import { stateName, stateNumber, type StateName } from '../kernel/state.ts'
import { checkBuffers } from './buffers.ts'
import type { OpenOptions } from './by_name.ts'
import { Device } from './device.ts'
import { readRegions } from './regions.ts'

/** Asks an open device what it can do, and makes it ready. @internal */
export async function identify(
  backend: DeviceBackend,
  options: Pick<OpenOptions, 'precopyInfoV2' | 'buffers'>,
): Promise<Device> {
  const flags = await askFlags(backend)
  const capabilities = capabilitiesOf(Math.max(flags, 0), await logsDma(backend))
  const opened = backend.origin === 'opened'
  const keepsState = opened && capabilities.stopCopy && (driverManners(backend.driver)?.resetAtOpen ?? false)
  const wantsV2 = capabilities.preCopy && (options.precopyInfoV2 ?? opened)
  return await Device.create({
    backend,
    capabilities,
    regions: check => readRegions(backend, check, { migrates: capabilities.stopCopy }),
    precopyInfoV2: wantsV2 && (await optIn(backend)),
    resetAtOpen: keepsState ? await resetUnlessRunning(backend) : undefined,
    resetAtClose: keepsState,
    buffers: checkBuffers(options.buffers),
    whyNotMigratable: () => whyNotMigratable(backend, flags),
  })
}

/** The flags of VFIO_DEVICE_FEATURE_MIGRATION, or -ENOTTY of a device without migration. */
async function askFlags({ calls, name }: DeviceBackend): Promise<number> {
  const flags = await calls.migrationFlags()
  if (flags >= 0 || flags === -errno.ENOTTY) return flags
  const call = { syscall: 'ioctl', request: 'VFIO_DEVICE_FEATURE_MIGRATION' }
  const error = new VfioSystemError(flags, call, { device: name })
  if (flags !== -errno.EINVAL) throw error
  // Before BIND every call on a cdev's fd answers EINVAL.
  throw new VfioError(
    'ERR_VFIO_NOT_BOUND',
    `'${name}' is not bound to an iommufd: whoever lends it must open it for real (VFIO_DEVICE_BIND_IOMMUFD) before passing it on`,
    { device: name, cause: error },
  )
}

/** Which takes all three calls; drivers offer all or none (log_ops of drivers/vfio/vfio_main.c). */
async function logsDma({ calls }: DeviceBackend): Promise<boolean> {
  const { SET, GET } = operation
  for (const [id, offered] of [
    [feature.DMA_LOGGING_START, SET],
    [feature.DMA_LOGGING_STOP, SET],
    [feature.DMA_LOGGING_REPORT, GET],
  ] as const)
    if ((await calls.probe(id, offered)) !== 0) return false
  return true
}

async function optIn({ calls, name }: DeviceBackend): Promise<boolean> {
  const answer = await calls.optInPrecopyInfoV2()
  // ENOTTY: the kernel is older than the feature.
  if (answer >= 0 || answer === -errno.ENOTTY) return answer >= 0
  const call = { syscall: 'ioctl', request: 'VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2' }
  throw new VfioSystemError(answer, call, { device: name })
}

/**
 * A driver that keeps its migration state over the last close has dropped the sessions that belong to it: leaving such
 * a state dereferences them (mtty). Answers the state that it was found in, when that was not RUNNING.
 */
async function resetUnlessRunning({ calls, name }: DeviceBackend): Promise<StateName | undefined> {
  const state = await calls.getState()
  if (state === stateNumber('RUNNING')) return undefined
  const answer = state < 0 ? state : await calls.reset()
  if (answer < 0) {
    const request = state < 0 ? 'VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE' : 'VFIO_DEVICE_RESET'
    throw new VfioSystemError(answer, { syscall: 'ioctl', request }, { device: name, recovery: 'reset' })
  }
  return stateName(state)
}

async function whyNotMigratable(backend: DeviceBackend, answer: number): Promise<VfioError> {
  const { name } = backend
  if (backend.mock) {
    const { whyBackendDoesNotMigrate } = await import('../mock/not_migratable.ts')
    const { cause, remedy } = await whyBackendDoesNotMigrate(backend)
    const text = `'${name}' does not migrate: ${cause}. ${remedy}`
    return new VfioError('ERR_VFIO_NOT_MIGRATABLE', text, { device: name })
  }
  // A lent fd or a backend of another kind need not be in sysfs.
  const device = await findDevice(name).catch(() => undefined)
  return explainNotMigratable({ name, device, answer, kernel: await kernelFacts() })
}
