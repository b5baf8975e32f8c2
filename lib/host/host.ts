// SPDX-License-Identifier: Apache-2.0
import { stat } from 'node:fs/promises'
import { release } from 'node:os'
import { readFunction } from './device.ts'
import type {
  DeviceFacts,
  FunctionFacts,
  Holders,
  HostFacts,
  KernelFacts,
  NodeFacts,
  ProcessFacts,
  Rooted,
} from './facts.ts'
import { holdersOf } from './holders.ts'
import { kernelFacts } from './kernel.ts'
import { groupLinks } from './list.ts'
import { attribute, located, resolved } from './sysfs.ts'

/**
 * Gathers, after a failure, what an explanation of it may need. Stats the nodes; opens none. Where the failure was that
 * no fds are left, what cannot be read is left out: an explanation with less is better than another failure.
 */
export async function hostFacts(device: DeviceFacts, options: Rooted = {}): Promise<HostFacts> {
  const own = [device.cdev?.node, device.groupNode].filter(node => node !== undefined)
  const nodes = await Promise.all(
    [...own, '/dev/iommu', '/dev/vfio/vfio'].map(path => readNode(path, options)),
  )
  return {
    kernel: await kernelFacts(options).catch(() => unknownKernel),
    process: await processFacts(options),
    nodes: nodes.filter(node => node !== undefined),
    holders: await holdersOf(own, { ...options, sysfsPath: device.sysfsPath }).catch(() => unknownHolders),
    group: await groupMembers(device, options).catch(() => []),
  }
}

const unknownHolders: Holders = { processes: [], complete: false }
const unknownKernel: KernelFacts = {
  release: release(),
  iommufd: true,
  container: true,
  unsafeNoiommu: undefined,
  unsafeInterrupts: { iommufd: undefined, type1: undefined },
  interruptRemapping: undefined,
}

async function readNode(path: string, options: Rooted): Promise<NodeFacts | undefined> {
  try {
    const { uid, gid, mode } = await stat(located(path, options))
    return { path, uid, gid, mode: mode & 0o777 }
  } catch {
    return undefined
  }
}

/** Who we are to the kernel: the effective ids, and the limit on open files. */
async function processFacts(options: Rooted): Promise<ProcessFacts> {
  const status = (await attribute('/proc/self/status', options).catch(() => undefined)) ?? ''
  const limits = (await attribute('/proc/self/limits', options).catch(() => undefined)) ?? ''
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
  return {
    pid: Number(/^Pid:\s+(\d+)/m.exec(status)?.[1] ?? process.pid),
    uid: effectiveId(status, 'Uid') ?? process.geteuid?.() ?? 0,
    gid: effectiveId(status, 'Gid') ?? process.getegid?.() ?? 0,
    openFilesLimit: soft === undefined ? undefined : Number(soft),
  }
}

/** The second of the four ids of a line. */
function effectiveId(status: string, key: string): number | undefined {
  const id = new RegExp(`^${key}:\\s+\\d+\\s+(\\d+)`, 'm').exec(status)?.[1]
  return id === undefined ? undefined : Number(id)
}

async function groupMembers({ iommuGroup }: DeviceFacts, options: Rooted): Promise<FunctionFacts[]> {
  if (iommuGroup === undefined) return []
  const links = await groupLinks(iommuGroup, options)
  const paths = await Promise.all(links.map(link => resolved(link, options)))
  return Promise.all(paths.filter(path => path !== undefined).map(path => readFunction(path, options)))
}
