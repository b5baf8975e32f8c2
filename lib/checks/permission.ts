// SPDX-License-Identifier: Apache-2.0
import type { HostFacts, NodeFacts, ProcessFacts } from '../host/facts.ts'

/** Who may open a node, and who we are. */
export function permissionCause(path: string, host: HostFacts): string {
  const node = host.nodes.find(({ path: known }) => known === path)
  const who = `this process runs as user ${host.process.uid}, group ${host.process.gid}`
  if (node === undefined) return `${path} cannot be reached, and ${who}.`
  const owner = `${path} belongs to user ${node.uid}, group ${node.gid}, mode ${modeText(node)}`
  if (!modePermits(node, host.process)) return `${owner}; ${who}.`
  return `${owner}, which lets user ${host.process.uid} in: a security module or a user namespace refuses.`
}

/** How to hand a node over. */
export function permissionRemedy(path: string, host: HostFacts): string {
  const node = host.nodes.find(({ path: known }) => known === path)
  if (node !== undefined && modePermits(node, host.process))
    return 'Look for the refusal with ausearch or dmesg.'
  const owner = host.process.uid
  return `Run as root, or hand the node over: chown ${owner} ${path}; for good with the udev rule ${udevRule(path, owner)}.`
}

/** The subsystem under which udev sees a node. */
function udevRule(path: string, uid: number): string {
  if (path === '/dev/iommu') return `KERNEL=="iommu", OWNER="${uid}"`
  if (path.startsWith('/dev/vfio/devices/')) return `SUBSYSTEM=="vfio-dev", OWNER="${uid}"`
  return `SUBSYSTEM=="vfio", OWNER="${uid}"`
}

const readWrite = 0o6

/** Supplementary groups are not known: a node that only they open is taken for closed. */
function modePermits(node: NodeFacts, process: ProcessFacts): boolean {
  if (process.uid === 0) return true
  if (node.uid === process.uid) return (node.mode >> 6) % 8 === readWrite
  if (node.gid === process.gid) return (node.mode >> 3) % 8 === readWrite
  return node.mode % 8 === readWrite
}

function modeText({ mode }: NodeFacts): string {
  return mode.toString(8).padStart(4, '0')
}
