// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'

/** One serial port or two: the types of the kernel's sample driver. */
export type MttyType = 'mtty-1' | 'mtty-2'

/** An mtty device, which exists until it is disposed of. */
export interface Mtty extends AsyncDisposable {
  readonly uuid: string
  readonly type: MttyType
}

const types = '/sys/devices/virtual/mtty/mtty/mdev_supported_types'

/** Makes an mtty device. Removing it waits until every fd of it is closed. */
export async function createMtty(type: MttyType = 'mtty-1'): Promise<Mtty> {
  const uuid = randomUUID()
  await writeFile(`${types}/${type}/create`, uuid)
  return {
    uuid,
    type,
    async [Symbol.asyncDispose]() {
      await writeFile(`/sys/bus/mdev/devices/${uuid}/remove`, '1')
    },
  }
}
