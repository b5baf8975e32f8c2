// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Loads one of our kernel modules, test/kernel/modules/`name`; unloaded when it is disposed of. */
export async function loadModule(name: string): Promise<AsyncDisposable> {
  const directory = process.env.VFIO_MIGRATE_KERNEL_MODULES
  if (directory === undefined)
    throw new Error('VFIO_MIGRATE_KERNEL_MODULES is not set: no modules for this kernel')
  await run('insmod', [join(directory, `${name}.ko`)])
  return {
    async [Symbol.asyncDispose]() {
      await run('rmmod', [name])
    },
  }
}
