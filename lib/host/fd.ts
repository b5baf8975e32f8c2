// SPDX-License-Identifier: Apache-2.0
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readDevice } from './device.ts'
import type { DeviceFacts, FdFacts, Rooted } from './facts.ts'
import { groupDeviceLink, syspathOf } from './holders.ts'
import { linkTarget, located, resolved } from './sysfs.ts'

/** What this process's fd is, and which device is behind it; undefined when no such fd is open. */
export async function describeFd(fd: number, options: Rooted = {}): Promise<FdFacts | undefined> {
  const link = await linkTarget(`/proc/self/fd/${fd}`, options)
  if (link === undefined) return undefined
  const syspath = await syspathOf(`/proc/self/fdinfo/${fd}`, options)
  const path = syspath ?? (await pathOfNode(link, options)) ?? (await pathOfNumber(fd, options))
  const device = path === undefined ? undefined : await readDevice(path, options)
  return { link, kind: kindOf(link, device), device }
}

const cdevLink = /^\/dev\/vfio\/devices\/(vfio\d+)$/

function kindOf(link: string, device: DeviceFacts | undefined): FdFacts['kind'] {
  if (link === groupDeviceLink) return 'group'
  return device === undefined && !cdevLink.test(link) ? 'other' : 'cdev'
}

async function pathOfNode(link: string, options: Rooted): Promise<string | undefined> {
  const name = cdevLink.exec(link)?.[1]
  return name === undefined ? undefined : resolved(`/sys/class/vfio-dev/${name}/device`, options)
}

/** By its device number: a container may have the node under another name. */
async function pathOfNumber(fd: number, options: Rooted): Promise<string | undefined> {
  try {
    const { rdev } = await stat(located(`/proc/self/fd/${fd}`, options))
    const path = await resolved(`/sys/dev/char/${major(rdev)}:${minor(rdev)}`, options)
    return path === undefined || !path.includes('/vfio-dev/') ? undefined : dirname(dirname(path))
  } catch {
    return undefined
  }
}

/** glibc's gnu_dev_major, for the 32-bit numbers that Linux uses. */
function major(rdev: number): number {
  return (rdev >> 8) & 0xfff
}

function minor(rdev: number): number {
  return (rdev & 0xff) | ((rdev >> 12) & 0xfff00)
}
