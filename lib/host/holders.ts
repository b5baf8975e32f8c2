// SPDX-License-Identifier: Apache-2.0
import { readdir } from 'node:fs/promises'
import type { Holder, Holders, Rooted } from './facts.ts'
import { mapLimited } from './limited.ts'
import { attribute, entries, linkTarget, located } from './sysfs.ts'

export interface HoldersOptions extends Rooted {
  /**
   * The device's directory in sysfs. With it, fds that VFIO_GROUP_GET_DEVICE_FD gave out are found as well, where the
   * kernel names their device in fdinfo (after 6.12).
   */
  readonly sysfsPath?: string | undefined
}

/**
 * The processes that have one of `nodes` open. Only the processes of this pid namespace can be seen, and without
 * privileges only one's own; `complete` says whether every one of them could be read.
 */
export async function holdersOf(nodes: readonly string[], options: HoldersOptions = {}): Promise<Holders> {
  const pids = (await entries('/proc', options)).filter(name => /^\d+$/.test(name))
  const found = await mapLimited(pids, pid => holds(pid, nodes, options))
  const holders = pids.filter((_, index) => found[index] === true)
  const processes = await Promise.all(holders.map(pid => readHolder(pid, options)))
  return {
    processes: processes.sort((a, b) => a.pid - b.pid),
    complete: found.every(answer => answer !== undefined),
  }
}

/** Undefined when the process's fds are not ours to read; one that has ended meanwhile holds nothing. */
async function holds(
  pid: string,
  nodes: readonly string[],
  options: HoldersOptions,
): Promise<boolean | undefined> {
  const fds = await openFds(pid, options)
  if (fds === undefined) return undefined
  const answers = await Promise.all(fds.map(fd => isHeld(pid, fd, nodes, options)))
  return answers.includes(true)
}

async function openFds(pid: string, options: Rooted): Promise<string[] | undefined> {
  try {
    return await readdir(located(`/proc/${pid}/fd`, options))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ESRCH' ? [] : undefined
  }
}

async function isHeld(
  pid: string,
  fd: string,
  nodes: readonly string[],
  options: HoldersOptions,
): Promise<boolean> {
  const link = await linkTarget(`/proc/${pid}/fd/${fd}`, options)
  if (link === undefined) return false
  if (nodes.includes(link)) return true
  if (options.sysfsPath === undefined || link !== groupDeviceLink) return false
  return (await syspathOf(`/proc/${pid}/fdinfo/${fd}`, options)) === options.sysfsPath
}

/** What /proc shows for an fd that VFIO_GROUP_GET_DEVICE_FD gave out. */
export const groupDeviceLink = 'anon_inode:[vfio-device]'

/** The line `vfio-device-syspath:` of a fdinfo file, which kernels after 6.12 print for every VFIO device fd. */
export async function syspathOf(fdinfo: string, options: Rooted): Promise<string | undefined> {
  const text = await attribute(fdinfo, options)
  return text?.match(/^vfio-device-syspath:\s*(\S+)$/m)?.[1]
}

async function readHolder(pid: string, options: Rooted): Promise<Holder> {
  return { pid: Number(pid), comm: (await attribute(`/proc/${pid}/comm`, options)) ?? '?' }
}
