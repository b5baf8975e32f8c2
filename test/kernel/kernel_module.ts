// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** One of our kernel modules, loaded until it is disposed of. */
export interface LoadedModule extends AsyncDisposable {
  /** The file it answers in. */
  readonly debugfs: string
}

/** Loads test/kernel/modules/`name`. */
export async function loadModule(name: string): Promise<LoadedModule> {
  const directory = process.env.VFIO_MIGRATE_KERNEL_MODULES
  if (directory === undefined)
    throw new Error('VFIO_MIGRATE_KERNEL_MODULES is not set: no modules for this kernel')
  await run('insmod', [join(directory, `${name}.ko`)])
  return {
    debugfs: `/sys/kernel/debug/vfio_${name}`,
    async [Symbol.asyncDispose]() {
      await run('rmmod', [name])
    },
  }
}
