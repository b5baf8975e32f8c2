// SPDX-License-Identifier: Apache-2.0
import type { DataAnswer, DeviceInfoAnswer, RegionInfoAnswer } from '../backend/seam.ts'
import { driverManners } from '../kernel/drivers.ts'
import { errno } from '../kernel/errno.ts'
import { regionFlag } from '../kernel/feature.ts'
import type { Regions } from './drivers/driver.ts'

const maxRegionBytes = 2 ** 24

/** pread(2), one access of `width` bytes after another. */
export function readRegion(regions: Regions, offset: number, length: number, width: number): DataAnswer {
  const none = (result: number): DataAnswer => ({ result, data: new Uint8Array(0) })
  if (length > maxRegionBytes) return none(-errno.E2BIG)
  const data = new Uint8Array(length)
  for (let at = 0; at < length; at += width) {
    const answer = regions.read(offset + at, data.subarray(at, at + width))
    if (answer < 0) return none(answer)
  }
  return { result: length, data }
}

/** pwrite(2), likewise. */
export function writeRegion(regions: Regions, offset: number, data: Uint8Array, width: number): number {
  for (let at = 0; at < data.length; at += width) {
    const answer = regions.write(offset + at, data.subarray(at, at + width))
    if (answer < 0) return answer
  }
  return data.length
}

const regionBytes = 2 ** 40
const configIndex = 7
const configBytes = 256
const numRegions = 9
const flagsOfPci = 3

/** The regions of a PCI function of `driver` that has config space, and no BAR: index << 40 is where each begins. */
export class PciRegions implements Regions {
  readonly #config = new Uint8Array(configBytes)

  constructor(driver: string) {
    const id = driverManners(driver)?.pciIds[0] ?? '0000:0000'
    const [vendor = 0, device = 0] = id.split(':').map(part => Number.parseInt(part, 16))
    new Uint16Array(this.#config.buffer).set([vendor, device])
  }

  info(): DeviceInfoAnswer {
    return { result: 0, flags: flagsOfPci, numRegions, numIrqs: 5 }
  }

  /** BARs and the ROM are there and empty; VGA is not. */
  region(index: number): RegionInfoAnswer {
    const offset = index * regionBytes
    if (index > configIndex) return { result: -errno.EINVAL, flags: 0, size: 0, offset: 0 }
    if (index < configIndex) return { result: 0, flags: 0, size: 0, offset }
    return { result: 0, flags: regionFlag.READ | regionFlag.WRITE, size: configBytes, offset }
  }

  read(offset: number, into: Uint8Array): number {
    return this.#access(offset, into.length, at => into.set(this.#config.subarray(at, at + into.length)))
  }

  /** Vendor and device cannot be written. */
  write(offset: number, from: Uint8Array): number {
    return this.#access(offset, from.length, at => {
      if (at >= 4) this.#config.set(from, at)
    })
  }

  #access(offset: number, length: number, make: (at: number) => void): number {
    const at = offset - configIndex * regionBytes
    if (at < 0 || at >= regionBytes) return -errno.EINVAL
    if (at + length > configBytes) return -errno.EINVAL
    make(at)
    return 0
  }
}
