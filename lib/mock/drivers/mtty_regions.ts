// SPDX-License-Identifier: Apache-2.0
import type { DeviceInfoAnswer, RegionInfoAnswer } from '../../backend/seam.ts'
import { errno } from '../../kernel/errno.ts'
import { regionFlag } from '../../kernel/feature.ts'
import type { Regions } from './driver.ts'
import type { MttyPort } from './mtty_port.ts'

/*
 * What mtty answers on its device fd: mdev_access(), mtty_ioctl() and mtty_create_config_space() of
 * samples/vfio-mdev/mtty.c. RESET works, and GET_INFO does not say so.
 */
const info: DeviceInfoAnswer = { result: 0, flags: 2, numRegions: 9, numIrqs: 5 }
const configRegion = 7
const configBytes = 255
const barBytes = 8
/** The bits of an offset in a region; above them is its index. */
const indexUnit = 2 ** 40

/** Read-only to us: nothing of it matters to the device. */
const config: readonly (readonly [offset: number, hex: string])[] = [
  [0x00, '48435332010000021002000700000000'],
  [0x10, '01000000'],
  [0x2c, '48435332'],
  [0x3d, '01'],
]

const secondBar = [0x14, '01000000'] as const

/** What the ports hold that others hold too: brought up to date before an access, and taken over after a write. */
export interface Shared {
  readonly put: () => void
  readonly take: () => void
}

/** Config space, and a BAR of eight registers for each port. */
export class MttyRegions implements Regions {
  readonly #ports: readonly MttyPort[]
  readonly #shared: Shared
  readonly #config = Buffer.alloc(configBytes)

  constructor(ports: readonly MttyPort[], shared: Shared) {
    this.#ports = ports
    this.#shared = shared
    for (const [offset, hex] of ports.length > 1 ? [...config, secondBar] : config)
      this.#config.write(hex, offset, 'hex')
  }

  info(): DeviceInfoAnswer {
    return info
  }

  region(index: number): RegionInfoAnswer {
    if (index >= info.numRegions) return { result: -errno.EINVAL, flags: 0, size: 0, offset: 0 }
    const size = index === configRegion ? configBytes : index < this.#ports.length ? barBytes : 0
    return { result: 0, flags: regionFlag.READ | regionFlag.WRITE, size, offset: index * indexUnit }
  }

  /** The driver makes accesses of 4, 2 and 1 bytes of what it is given, and of a register each touches one. */
  read(offset: number, into: Uint8Array): number {
    return this.#each(offset, into, (place, part) => {
      if (place.port !== undefined) part[0] = place.port.read(place.at)
      else part.set(this.#config.subarray(place.at, place.at + part.length))
    })
  }

  write(offset: number, from: Uint8Array): number {
    const answer = this.#each(offset, from, (place, part) => place.port?.write(place.at, part[0] ?? 0))
    this.#shared.take()
    return answer
  }

  #each(
    offset: number,
    bytes: Uint8Array,
    access: (place: { port: MttyPort | undefined; at: number }, part: Uint8Array) => void,
  ): number {
    const index = Math.floor(offset / indexUnit)
    const port = this.#ports[index]
    // The driver would go on behind its array of ports.
    if (port === undefined && index !== configRegion) return -errno.EFAULT
    this.#shared.put()
    for (let done = 0; done < bytes.length;) {
      const at = (offset % indexUnit) + done
      const length = [4, 2, 1].find(unit => bytes.length - done >= unit && at % unit === 0) ?? 1
      access({ port, at }, bytes.subarray(done, done + length))
      done += length
    }
    return 0
  }
}
