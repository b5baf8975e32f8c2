// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend, RegionInfoAnswer } from '../backend/seam.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { regionFlag } from '../kernel/feature.ts'
import type { StateName } from '../kernel/state.ts'
import { askState } from './path.ts'

/** Bytes that one access to a region moves. */
export type AccessWidth = 1 | 2 | 4 | 8

/** How a region is accessed. */
export interface RegionAccess {
  /** Bytes that each access moves; 1 unless told. */
  readonly width?: AccessWidth
  /** In every state, also where it can change what is being saved, or the state. */
  readonly force?: boolean
}

/**
 * One region of a device: a BAR, the ROM, config space, or one of the driver's own.
 *
 * Of a device that can migrate it is read and written in RUNNING and PRE_COPY. In another state that is refused with
 * ERR_VFIO_REGION_STATE unless it is forced: in STOP_COPY it can spoil the stream, in the P2P states it may put the
 * device into another state (vfio.h). The kernel is asked before each access; nothing keeps the device in that state until
 * it is made.
 */
export interface Region {
  /** The index of VFIO_DEVICE_GET_REGION_INFO; for a PCI device 0-5 are BARs, 6 the ROM, 7 config space. */
  readonly index: number
  /** Bytes; 0 for a region that the device does not have. */
  readonly size: number
  readonly readable: boolean
  readonly writable: boolean
  /** The driver's own type of region (VFIO_REGION_INFO_CAP_TYPE), where it has one. */
  readonly type?: { readonly type: number; readonly subtype: number }
  /** `length` bytes from `offset`, in accesses of `width` bytes. */
  read(offset: number, length: number, options?: RegionAccess): Promise<Uint8Array>
  /** Writes `data` at `offset`, in accesses of `width` bytes. */
  write(offset: number, data: Uint8Array, options?: RegionAccess): Promise<void>
}

/** Asks the kernel for every region. `check` is called before each access. @internal */
export async function readRegions(
  backend: DeviceBackend,
  check: (operation: string) => void,
  options: { readonly migrates: boolean },
): Promise<Region[]> {
  const info = await backend.calls.deviceInfo()
  if (info.result < 0) {
    const call = { syscall: 'ioctl', request: 'VFIO_DEVICE_GET_INFO' }
    throw new VfioSystemError(info.result, call, { device: backend.name })
  }
  const checks: Checks = {
    usable: check,
    state: async (operation, { force = false }) => {
      if (options.migrates && !force) await checkState(backend, operation)
    },
  }
  const regions: Region[] = []
  for (let index = 0; index < info.numRegions; index++) {
    const answer = await backend.calls.regionInfo(index)
    // A device may number regions that it does not have (VGA): the kernel answers EINVAL for those.
    if (answer.result >= 0) regions.push(makeRegion(backend, index, answer, checks))
  }
  return regions
}

const accessible: ReadonlySet<StateName> = new Set(['RUNNING', 'PRE_COPY'])

/** What is asked before each access: first of this side, at last of the kernel. */
interface Checks {
  usable(operation: string): void
  state(operation: string, access: RegionAccess): Promise<void>
}

async function checkState(backend: DeviceBackend, operation: string): Promise<void> {
  const state = await askState(backend)
  if (accessible.has(state)) return
  throw new VfioError(
    'ERR_VFIO_REGION_STATE',
    `${operation} is refused in ${state}: it can change what is being saved, or the state. Wait for RUNNING, or pass { force: true } where that access is known to do neither`,
    { device: backend.name, state },
  )
}

function makeRegion(backend: DeviceBackend, index: number, info: RegionInfoAnswer, checks: Checks): Region {
  const { size, flags, offset: base } = info
  const name = `region ${index} of '${backend.name}'`
  const readable = size > 0 && (flags & regionFlag.READ) !== 0
  const writable = size > 0 && (flags & regionFlag.WRITE) !== 0
  return {
    index,
    size,
    readable,
    writable,
    ...(info.type && { type: info.type }),
    async read(offset, length, access = {}) {
      const { width = 1 } = access
      checks.usable(`reading ${name}`)
      checkAccess(name, size, offset, length, width)
      if (!readable) throw new RangeError(`${name} cannot be read`)
      await checks.state(`reading ${name}`, access)
      const { result, data } = await backend.calls.regionRead(base + offset, length, width)
      if (result < 0) throw new VfioSystemError(result, { syscall: 'pread' }, { device: name })
      return data
    },
    async write(offset, data, access = {}) {
      const { width = 1 } = access
      checks.usable(`writing ${name}`)
      checkAccess(name, size, offset, data.length, width)
      if (!writable) throw new RangeError(`${name} cannot be written`)
      await checks.state(`writing ${name}`, access)
      const result = await backend.calls.regionWrite(base + offset, data, width)
      if (result < 0) throw new VfioSystemError(result, { syscall: 'pwrite' }, { device: name })
    },
  }
}

/** The kernel does not check every access (mtty reads past its arrays), so each is checked here. */
function checkAccess(name: string, size: number, offset: number, length: number, width: number): void {
  if (![1, 2, 4, 8].includes(width))
    throw new RangeError(`width ${width}: an access moves 1, 2, 4 or 8 bytes`)
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 1) {
    throw new RangeError(
      `${name}: offset ${offset}, length ${length}: both must be whole numbers, length at least 1`,
    )
  }
  if (offset + length > size) {
    throw new RangeError(`${name} has ${size} bytes: ${length} at ${offset} are out of it`)
  }
  if (offset % width !== 0 || length % width !== 0) {
    throw new RangeError(
      `${name}: offset ${offset} and length ${length} must be multiples of the width ${width}`,
    )
  }
}
