// SPDX-License-Identifier: Apache-2.0
import { readDevice } from './device.ts'
import type { FdFacts, Rooted } from './facts.ts'
import { groupDeviceLink, syspathOf } from './holders.ts'
import { linkTarget, resolved } from './sysfs.ts'

/** What this process's fd is, and which device is behind it; undefined when no such fd is open. */
export async function describeFd(fd: number, options: Rooted = {}): Promise<FdFacts | undefined> {
  const link = await linkTarget(`/proc/self/fd/${fd}`, options)
  if (link === undefined) return undefined
  const path = (await syspathOf(`/proc/self/fdinfo/${fd}`, options)) ?? (await pathOfNode(link, options))
  const device = path === undefined ? undefined : await readDevice(path, options)
  return { link, kind: kindOf(link), device }
}

const cdevLink = /^\/dev\/vfio\/devices\/(vfio\d+)$/

function kindOf(link: string): FdFacts['kind'] {
  if (link === groupDeviceLink) return 'group'
  return cdevLink.test(link) ? 'cdev' : 'other'
}

async function pathOfNode(link: string, options: Rooted): Promise<string | undefined> {
  const name = cdevLink.exec(link)?.[1]
  return name === undefined ? undefined : resolved(`/sys/class/vfio-dev/${name}/device`, options)
}
