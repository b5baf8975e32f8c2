// SPDX-License-Identifier: Apache-2.0
import type { Rooted } from './facts.ts'
import { attribute, numericAttribute } from './sysfs.ts'

/** How much memory the kernel would still charge to this process, as far as limits tell. In bytes. */
export interface MemoryFacts {
  /** MemAvailable of /proc/meminfo. */
  readonly availableBytes: number | undefined
  /** The limits of this process's memory cgroup and of those above it. */
  readonly limits: readonly MemoryLimit[]
}

export interface MemoryLimit {
  /** The cgroup's path as /proc/self/cgroup has it, or the part of it that can be seen from here. */
  readonly cgroup: string
  /** memory.limit_in_bytes is memory.max of version 1. Behind memory.high the kernel slows a process down, behind the others it refuses. */
  readonly file: 'memory.max' | 'memory.high' | 'memory.limit_in_bytes'
  readonly limitBytes: number
  /** What is charged, without the file cache that nobody has touched lately: that is given up first. */
  readonly usedBytes: number
}

/** Where a version has its hierarchy, and what its files are called. Source: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst. */
interface Hierarchy {
  readonly line: RegExp
  readonly mounts: readonly string[]
  readonly usage: string
  readonly limits: readonly MemoryLimit['file'][]
  readonly idleCache: RegExp
}

const hierarchies: readonly Hierarchy[] = [
  {
    line: /^0::(\/.*)$/m,
    mounts: ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'],
    usage: 'memory.current',
    limits: ['memory.max', 'memory.high'],
    idleCache: /^inactive_file (\d+)$/m,
  },
  {
    line: /^\d+:(?:[^:]+,)?memory(?:,[^:]+)?:(\/.*)$/m,
    mounts: ['/sys/fs/cgroup/memory'],
    usage: 'memory.usage_in_bytes',
    limits: ['memory.limit_in_bytes'],
    idleCache: /^total_inactive_file (\d+)$/m,
  },
]

/** Version 1 prints a number near 2^63 for no limit. */
const noLimitBytes = 2 ** 60

/** What is left to this process. Where a file is missing, or not ours to read, its limit is not told. */
export async function memoryFacts(options: Rooted = {}): Promise<MemoryFacts> {
  const meminfo = (await attribute('/proc/meminfo', options)) ?? ''
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1]
  const cgroups = (await attribute('/proc/self/cgroup', options)) ?? ''
  const limits = await Promise.all(hierarchies.map(hierarchy => limitsOf(hierarchy, cgroups, options)))
  return {
    availableBytes: kibibytes === undefined ? undefined : Number(kibibytes) * 1024,
    limits: limits.flat(),
  }
}

async function limitsOf(hierarchy: Hierarchy, cgroups: string, options: Rooted): Promise<MemoryLimit[]> {
  const path = hierarchy.line.exec(cgroups)?.[1]
  if (path === undefined) return []
  const places = hierarchy.mounts.flatMap(mount => upwards(path).map(cgroup => ({ mount, cgroup })))
  const limits = await Promise.all(places.map(place => readLimits(hierarchy, place, options)))
  return limits.flat()
}

/** `/a/b`, `/a`, `/`: a charge counts against every one of them. What is outside of our cgroup namespace, `/..`, is not seen. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter(part => part !== '')
  if (parts.includes('..')) return ['/']
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`).concat('/')
}

async function readLimits(
  { usage, limits, idleCache }: Hierarchy,
  { mount, cgroup }: { mount: string; cgroup: string },
  options: Rooted,
): Promise<MemoryLimit[]> {
  const directory = `${mount}${cgroup}`
  const charged = await numericAttribute(`${directory}/${usage}`, options)
  if (charged === undefined) return []
  const idle = Number(idleCache.exec((await attribute(`${directory}/memory.stat`, options)) ?? '')?.[1] ?? 0)
  const usedBytes = Math.max(0, charged - idle)
  const rows = limits.map(async (file): Promise<MemoryLimit[]> => {
    const limitBytes = Number((await attribute(`${directory}/${file}`, options)) ?? 'max')
    return limitBytes < noLimitBytes ? [{ cgroup, file, limitBytes, usedBytes }] : []
  })
  return (await Promise.all(rows)).flat()
}
