// SPDX-License-Identifier: Apache-2.0
import { readdir } from 'node:fs/promises'
import { isStateName } from '../kernel/state.ts'
import type { DebugfsAccess, MigrationFacts, Rooted } from './facts.ts'
import { attribute, entries, located } from './sysfs.ts'

const directory = '/sys/kernel/debug/vfio'

export interface MigrationOptions extends Rooted {
  /**
   * Reads `migration/state` too. The kernel takes the device's state mutex for it, so it waits while a driver loads
   * state, up to the firmware's time limit, in a thread of libuv's pool that nothing can call back. Default false.
   */
  readonly state?: boolean | undefined
}

/** What debugfs says of the migration of the device `name`. Source: Documentation/ABI/testing/debugfs-vfio. */
export async function readMigration(
  name: string,
  options: MigrationOptions = {},
): Promise<{ migration: MigrationFacts | undefined; debugfs: DebugfsAccess }> {
  const debugfs = await access(options)
  const files = debugfs === 'readable' ? await entries(`${directory}/${name}/migration`, options) : []
  if (files.length === 0) return { migration: undefined, debugfs }
  return { migration: await readFiles(`${directory}/${name}/migration`, options), debugfs }
}

async function readFiles(path: string, options: MigrationOptions): Promise<MigrationFacts> {
  const features = await attribute(`${path}/features`, options)
  const state = options.state ? await attribute(`${path}/state`, options) : undefined
  return {
    state: isStateName(state) ? state : undefined,
    features: features?.split('\n').filter(line => line !== ''),
  }
}

async function access(options: Rooted): Promise<DebugfsAccess> {
  try {
    await readdir(located(directory, options))
    return 'readable'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EACCES' || code === 'EPERM' ? 'denied' : 'absent'
  }
}
