// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend, RegionInfoAnswer } from '../backend/seam.ts'
import { VfioSystemError } from '../errors.ts'
import { regionFlag } from '../kernel/feature.ts'

/** Bytes that one access to a region moves. */
export type AccessWidth = 1 | 2 | 4 | 8

/** One region of a device: a BAR, the ROM, config space, or one of the driver's own. */
export interface Region {
  /** The index of VFIO_DEVICE_GET_REGION_INFO; for a PCI device 0-5 are BARs, 6 the ROM, 7 config space. */
  readonly index: number
  /** Bytes; 0 for a region that the device does not have. */
  readonly size: number
  readonly readable: boolean
  readonly writable: boolean
  /** The driver's own type of region (VFIO_REGION_INFO_CAP_TYPE), where it has one. */
  readonly type?: { readonly type: number; readonly subtype: number }
  /** `length` bytes from `offset`, read in accesses of `width` bytes (1 unless told). */
  read(offset: number, length: number, options?: { width?: AccessWidth }): Promise<Uint8Array>
  /** Writes `data` at `offset` in accesses of `width` bytes (1 unless told). */
  write(offset: number, data: Uint8Array, options?: { width?: AccessWidth }): Promise<void>
}

/** Asks the kernel for every region. `check` is called before each access. @internal */
export async function readRegions(
  backend: DeviceBackend,
  check: (operation: string) => void,
): Promise<Region[]> {
  const info = await backend.calls.deviceInfo()
  if (info.result < 0) {
    const call = { syscall: 'ioctl', request: 'VFIO_DEVICE_GET_INFO' }
    throw new VfioSystemError(info.result, call, { device: backend.name })
  }
  const regions: Region[] = []
  for (let index = 0; index < info.numRegions; index++) {
    const answer = await backend.calls.regionInfo(index)
    // A device may number regions that it does not have (VGA): the kernel answers EINVAL for those.
    if (answer.result >= 0) regions.push(makeRegion(backend, index, answer, check))
  }
  return regions
}

function makeRegion(
  backend: DeviceBackend,
  index: number,
  info: RegionInfoAnswer,
  check: (operation: string) => void,
): Region {
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
    async read(offset, length, { width = 1 } = {}) {
      check(`reading ${name}`)
      checkAccess(name, size, offset, length, width)
      if (!readable) throw new RangeError(`${name} cannot be read`)
      const { result, data } = await backend.calls.regionRead(base + offset, length, width)
      if (result < 0) throw new VfioSystemError(result, { syscall: 'pread' }, { device: name })
      return data
    },
    async write(offset, data, { width = 1 } = {}) {
      check(`writing ${name}`)
      checkAccess(name, size, offset, data.length, width)
      if (!writable) throw new RangeError(`${name} cannot be written`)
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
