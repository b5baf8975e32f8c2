// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path'
import { VfioError } from '../errors.ts'
import { readDevice, type DeviceOptions } from './device.ts'
import type { DeviceFacts } from './facts.ts'
import { groupLinks, listDevices } from './list.ts'
import { entries, numericAttribute, resolved } from './sysfs.ts'

/** One way of naming a device: how it looks, and where its link in sysfs is. */
interface Form {
  readonly pattern: RegExp
  link(match: RegExpExecArray, options: DeviceOptions): Promise<string> | string
}

const hex = '[0-9a-f]'
const forms: readonly Form[] = [
  {
    pattern: new RegExp(`^(?:(${hex}{4,8}):)?(${hex}{2}:${hex}{2}\\.[0-7])$`, 'i'),
    link: ([, domain = '0000', rest]) => `/sys/bus/pci/devices/${domain}:${rest}`.toLowerCase(),
  },
  {
    pattern: new RegExp(`^${hex}{8}(?:-${hex}{4}){3}-${hex}{12}$`, 'i'),
    link: ([uuid]) => `/sys/bus/mdev/devices/${uuid.toLowerCase()}`,
  },
  {
    pattern: /^(?:\/dev\/vfio\/devices\/)?(vfio\d+)$/,
    link: ([, name]) => `/sys/class/vfio-dev/${name}/device`,
  },
  {
    pattern: /^\/dev\/vfio\/(?:noiommu-)?(\d+)$/,
    link: ([, group], options) => onlyMember(Number(group), options),
  },
  { pattern: /^\/sys\/.+/, link: ([path]) => path },
]

/**
 * The facts of the device that `name` names: a PCI address (the domain 0000 may be left out), an mdev's UUID, `vfio3`,
 * /dev/vfio/devices/vfio3, /dev/vfio/N where the group has one device under VFIO, or a path in sysfs. A PCI function
 * that is bound to no VFIO driver is found too; opening it then explains what is missing.
 *
 * Rejects with ERR_VFIO_NO_DEVICE, naming the devices that there are.
 */
export async function findDevice(name: string, options: DeviceOptions = {}): Promise<DeviceFacts> {
  for (const form of forms) {
    const match = form.pattern.exec(name)
    if (match === null) continue
    const path = await resolved(await form.link(match, options), options)
    if (path !== undefined && (await isDevice(path, options))) return readDevice(path, options)
    throw await noDevice(name, `There is no device '${name}'.`, options)
  }
  const accepted = 'a PCI address, an mdev UUID, vfioN, a node in /dev/vfio, a path in /sys'
  throw await noDevice(name, `'${name}' names no device. A device is named by ${accepted}.`, options)
}

/** True for the directory of a PCI function or of an mdev. */
async function isDevice(path: string, options: DeviceOptions): Promise<boolean> {
  const subsystem = await resolved(`${path}/subsystem`, options)
  return subsystem !== undefined && ['pci', 'mdev'].includes(basename(subsystem))
}

/** The group's one device under VFIO; where it has none there, its one device. */
async function onlyMember(group: number, options: DeviceOptions): Promise<string> {
  const bound = (await listDevices(options)).filter(device => device.iommuGroup === group)
  const links = await groupLinks(group, options)
  const paths = bound.length > 0 ? bound.map(device => device.sysfsPath) : links
  const [first, ...others] = paths
  if (others.length === 0) return first ?? `/sys/kernel/iommu_groups/${group}`
  const where = bound.length > 0 ? ' under VFIO' : ''
  const text = `IOMMU group ${group} has ${paths.length} devices${where}. Name one of them:`
  throw new VfioError('ERR_VFIO_NO_DEVICE', `${text} ${paths.map(path => basename(path)).join(', ')}.`, {
    device: `/dev/vfio/${group}`,
  })
}

async function noDevice(name: string, head: string, options: DeviceOptions): Promise<VfioError> {
  const hints = [head, await virtualFunctionsHint(name, options), await candidatesHint(name, options)]
  return new VfioError('ERR_VFIO_NO_DEVICE', hints.filter(Boolean).join(' '), { device: name })
}

const shownCandidates = 5

/** The devices under VFIO, those first whose names begin as `name` does. */
async function candidatesHint(name: string, options: DeviceOptions): Promise<string> {
  const names = (await listDevices({ root: options.root })).map(device => device.name)
  if (names.length === 0) return 'No device is bound to a VFIO driver here.'
  const near = names.sort((a, b) => sharedLength(b, name) - sharedLength(a, name)).slice(0, shownCandidates)
  const more = names.length > near.length ? ` and ${names.length - near.length} more` : ''
  return `Under VFIO here: ${near.join(', ')}${more}.`
}

function sharedLength(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

/** A virtual function is missing most often because its physical function has not been told to make any. */
async function virtualFunctionsHint(name: string, options: DeviceOptions): Promise<string | undefined> {
  const bus = /^(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:(?=[0-9a-f]{2}\.)/i.exec(name)?.[0].toLowerCase()
  if (bus === undefined) return undefined
  const prefix = bus.length > 3 ? bus : `0000:${bus}`
  for (const pf of await entries('/sys/bus/pci/devices', options)) {
    if (!pf.startsWith(prefix)) continue
    const total = (await numericAttribute(`/sys/bus/pci/devices/${pf}/sriov_totalvfs`, options)) ?? 0
    const now = await numericAttribute(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, options)
    if (total === 0 || now !== 0) continue
    return `${pf} has none of its ${total} virtual functions: echo 1 > /sys/bus/pci/devices/${pf}/sriov_numvfs makes one.`
  }
  return undefined
}
