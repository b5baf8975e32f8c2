// SPDX-License-Identifier: Apache-2.0
import type { Move, PreflightOptions, SideFacts } from './preflight_facts.ts'
import { over, perDevice, type PreflightRule } from './preflight_rule.ts'

/** NVIDIA's guides: at most so many virtual functions of one physical function at a time. */
const vendorLimits: Readonly<Record<string, number>> = { mlx5_vfio_pci: 4 }

/** The devices of one physical function on one side. */
interface Crowd {
  readonly physfn: string
  readonly devices: readonly SideFacts[]
  readonly limit: number
}

const perCrowd = over<Crowd>(({ pairs, options }: Move) =>
  [pairs.map(({ from }) => from), pairs.map(({ to }) => to)].flatMap(devices => crowdsOf(devices, options)),
)

function crowdsOf(devices: readonly SideFacts[], { perPfLimit }: PreflightOptions): Crowd[] {
  const physfns = new Set(devices.map(physfnOf).filter(physfn => physfn !== undefined))
  return [...physfns].map(physfn => {
    const members = devices.filter(device => physfnOf(device) === physfn)
    return {
      physfn,
      devices: members,
      limit: perPfLimit ?? vendorLimits[members[0]?.driver ?? ''] ?? Infinity,
    }
  })
}

function physfnOf({ hardware }: SideFacts): string | undefined {
  return hardware?.physfn
}

/** What a set has to have that a single pair need not. */
export const setRules: readonly PreflightRule[] = [
  perDevice({
    id: 'set-without-p2p',
    level: 'refuse',
    overridable: false,
    applies: ({ device, move: { pairs, options } }) =>
      pairs.length > 1 && !options.noP2pDma && device.capabilities.stopCopy && !device.capabilities.p2p,
    cause: ({ device }) =>
      `'${device.name}' has no P2P: while the others of the set stop, it could write to one that is stopped already.`,
    remedy: () => 'Move it by itself, or say noP2pDma where the devices do no DMA to each other.',
  }),
  perCrowd({
    id: 'too-many-of-one-pf',
    level: 'refuse',
    applies: ({ devices, limit }) => devices.length > limit,
    device: ({ devices }) => devices[0]?.name ?? '',
    cause: ({ physfn, devices, limit }) =>
      `${devices.length} virtual functions of ${physfn} would move at a time, and it is to be at most ${limit}.`,
    remedy: () => 'Move them in several turns, or set perPfLimit.',
  }),
]
