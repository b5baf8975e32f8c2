// SPDX-License-Identifier: Apache-2.0
import { openDevice, type Device } from '#lib/index.js'
import type { OpenOptions } from '#lib/device/open.js'
import { createMtty, type Mtty, type MttyType } from './mtty.ts'

/** An mtty that is open; closed and removed when it is disposed of. */
export interface OpenMtty extends AsyncDisposable {
  readonly mtty: Mtty
  readonly device: Device
}

export async function openMtty(type: MttyType = 'mtty-1', options: OpenOptions = {}): Promise<OpenMtty> {
  const mtty = await createMtty(type)
  const device = await openDevice(mtty.uuid, options)
  return {
    mtty,
    device,
    async [Symbol.asyncDispose]() {
      await device.close()
      await mtty[Symbol.asyncDispose]()
    },
  }
}

/** Two devices of one type, the one to be moved into the other. */
export interface Pair extends AsyncDisposable {
  readonly source: Device
  readonly destination: Device
}

export async function openPair(type: MttyType = 'mtty-1'): Promise<Pair> {
  const [from, to] = [await openMtty(type), await openMtty(type)]
  return {
    source: from.device,
    destination: to.device,
    async [Symbol.asyncDispose]() {
      await from[Symbol.asyncDispose]()
      await to[Symbol.asyncDispose]()
    },
  }
}
