// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'

/** The addresses of the guest's virtual functions, bound to no driver. */
export function virtualFunctions(): string[] {
  return (process.env.VFIO_MIGRATE_VFS ?? '').split(' ').filter(Boolean)
}

/** A PCI function in the hands of plain vfio-pci, which does not migrate; unbound again when it is disposed of. */
export interface BoundFunction extends AsyncDisposable {
  readonly address: string
}

/** Binds the virtual function `index` to vfio-pci. */
export async function bindToVfioPci(index = 0): Promise<BoundFunction> {
  const address = virtualFunctions()[index]
  if (address === undefined)
    throw new Error(`the guest has no virtual function ${index}: run it with --vfs 2`)
  const path = `/sys/bus/pci/devices/${address}`
  await writeFile(`${path}/driver_override`, 'vfio-pci')
  await writeFile('/sys/bus/pci/drivers_probe', address)
  return {
    address,
    async [Symbol.asyncDispose]() {
      if (existsSync(`${path}/driver`)) await writeFile(`${path}/driver/unbind`, address)
      await writeFile(`${path}/driver_override`, '\n')
    },
  }
}
