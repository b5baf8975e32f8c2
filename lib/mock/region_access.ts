// SPDX-License-Identifier: Apache-2.0
import type { DataAnswer, DeviceInfoAnswer, RegionInfoAnswer } from '../backend/seam.ts'
import { driverManners } from '../kernel/drivers.ts'
import { errno } from '../kernel/errno.ts'
import { regionFlag } from '../kernel/feature.ts'
import { maxRegionBytes } from './arguments.ts'
import { barBytes, ConfigSpace, configBytes, msixVectors } from './config_space.ts'
import type { Regions } from './drivers/driver.ts'
import { refusals } from './refusals.ts'

/** pread(2), one access of `width` bytes after another. */
export function readRegion(regions: Regions, offset: number, length: number, width: number): DataAnswer {
  if (length > maxRegionBytes) return refusals.regionRead(-errno.E2BIG)
  const data = new Uint8Array(length)
  for (let at = 0; at < length; at += width) {
    const answer = regions.read(offset + at, data.subarray(at, at + width))
    if (answer < 0) return refusals.regionRead(answer)
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
const numRegions = 9
/** VFIO_DEVICE_FLAGS_RESET and _PCI. */
const flagsOfPci = 3
const readWrite = regionFlag.READ | regionFlag.WRITE

/**
 * The regions of a virtual function of `driver`: config space, and a BAR 0 with nothing but the MSI-X table, which vfio-pci
 * hides. The other BARs and the ROM are empty, VGA is not there. Index << 40 is where each begins.
 */
export class PciRegions implements Regions {
  readonly #config: ConfigSpace

  constructor(driver: string) {
    this.#config = new ConfigSpace(driverManners(driver)?.pciIds[0] ?? '0000:0000')
  }

  /** Somebody opens the function. */
  renew(): void {
    this.#config.renew()
  }

  info(): DeviceInfoAnswer {
    return { result: 0, flags: flagsOfPci, numRegions, numIrqs: 5 }
  }

  region(index: number): RegionInfoAnswer {
    const offset = index * regionBytes
    if (index > configIndex) return refusals.regionInfo(-errno.EINVAL)
    const size = sizes[index] ?? 0
    return { result: 0, flags: size > 0 ? readWrite : 0, size, offset }
  }

  read(offset: number, into: Uint8Array): number {
    return this.#access(offset, into.length, {
      config: at => this.#config.read(at, into),
      bar: at => into.fill(at < msixVectors * msixEntryBytes ? 0xff : 0),
    })
  }

  write(offset: number, from: Uint8Array): number {
    return this.#access(offset, from.length, {
      config: at => this.#config.write(at, from),
      bar: () => undefined,
    })
  }

  #access(
    offset: number,
    length: number,
    { config, bar }: Readonly<Record<'config' | 'bar', (at: number) => void>>,
  ): number {
    const index = Math.floor(offset / regionBytes)
    const at = offset % regionBytes
    if (at + length > (sizes[index] ?? 0)) return -errno.EINVAL
    if (index !== configIndex && !this.#config.isMemoryEnabled) return -errno.EIO
    ;(index === configIndex ? config : bar)(at)
    return 0
  }
}

const msixEntryBytes = 16

/** By the index of the region. */
const sizes: Readonly<Record<number, number>> = { 0: barBytes, [configIndex]: configBytes }
