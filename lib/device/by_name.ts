// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs'
import { loadAddon } from '../backend/native.ts'
import type { Addon, DeviceBackend, OpenAnswer, OpenStep } from '../backend/seam.ts'
import { explainOpen } from '../checks/open.ts'
import type { OpenTry } from '../checks/try.ts'
import { monotonicClock } from '../clock.ts'
import type { DeviceFacts } from '../host/facts.ts'
import { findDevice } from '../host/find.ts'
import { hostFacts } from '../host/host.ts'
import { errno } from '../kernel/errno.ts'
import type { Buffers } from './buffers.ts'
import { isMockName, openMock } from './mock.ts'

/** How to open a device. */
export interface OpenOptions {
  /** Only this way in, instead of the device's own node first and its group after it. */
  readonly via?: 'cdev' | 'group'
  /** The UUID that a virtual function needs whose physical function is in VFIO's hands as well. */
  readonly vfToken?: string
  /** Opt into VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2; done for a device opened by name unless told, never for a lent one. */
  readonly precopyInfoV2?: boolean
  /** What the bytes of its sessions go through. */
  readonly buffers?: Buffers
  readonly signal?: AbortSignal
}

const iommufd = '/dev/iommu'
const container = '/dev/vfio/vfio'

/** CHECK_EXTENSION's numbers in vfio.h: VFIO_TYPE1_IOMMU and VFIO_NOIOMMU_IOMMU. */
const iommuType = { type1: 1, noiommu: 8 } as const

type Way = (addon: Addon, facts: DeviceFacts, token: string | undefined) => Promise<OpenAnswer>

/** The ways into a device, in the order in which they are tried. */
const ways: Readonly<Record<'cdev' | 'group', Way>> = {
  async cdev(addon, { cdev }, token) {
    if (cdev === undefined) return { result: -errno.ENOENT, step: 'open cdev' }
    return await addon.openCdev(cdev.node, iommufd, token === undefined ? undefined : uuidBytes(token))
  },
  async group(addon, { groupNode, noiommu, name }, token) {
    if (groupNode === undefined) return { result: -errno.ENOENT, step: 'open group' }
    const type = noiommu ? iommuType.noiommu : iommuType.type1
    const device = token === undefined ? name : `${name} vf_token=${token}`
    return await addon.openGroup(groupNode, container, type, device)
  },
}

/** Opens the device by the first way that works; the error of a failure tells of every way. @internal */
export async function openByName(name: string, options: OpenOptions): Promise<DeviceBackend> {
  if (isMockName(name)) return await openMock(name, options)
  const token = options.vfToken === undefined ? undefined : checkedUuid(options.vfToken)
  const facts = await findDevice(name)
  const addon = loadAddon()
  const tries: OpenTry[] = []
  for (const via of options.via === undefined ? offered(facts) : [options.via]) {
    const { calls, result, step } = await ways[via](addon, facts, token)
    if (calls !== undefined) {
      const { name, driver } = facts
      return { name, driver, origin: 'opened', via, clock: monotonicClock, calls, barrier: addon.barrier }
    }
    tries.push({ via, step, result, path: nodeOf(via, step, facts), token: token !== undefined })
  }
  throw explainOpen(tries, facts, await hostFacts(facts))
}

function offered(facts: DeviceFacts): ('cdev' | 'group')[] {
  const all = ['cdev', 'group'] as const
  return all.filter(via => (via === 'cdev' ? facts.cdev && existsSync(iommufd) : facts.groupNode))
}

function nodeOf(via: 'cdev' | 'group', step: OpenStep, facts: DeviceFacts): string {
  if (step === 'open iommufd') return iommufd
  if (step === 'open container' || step === 'VFIO_SET_IOMMU') return container
  return (via === 'cdev' ? facts.cdev?.node : facts.groupNode) ?? facts.name
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function checkedUuid(token: string): string {
  const uuid = token.toLowerCase()
  if (!uuidForm.test(uuid))
    throw new TypeError(`vfToken '${token}' is no UUID such as 2ab74924-c335-45f4-9b16-8569e5b08258`)
  return uuid
}

function uuidBytes(uuid: string): Uint8Array {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}
