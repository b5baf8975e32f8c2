// SPDX-License-Identifier: Apache-2.0
import type { Move, PreflightOptions } from './preflight_facts.ts'
import { onOneMachine, over, perDevice, type DeviceSubject, type PreflightRule } from './preflight_rule.ts'

/**
 * NVIDIA's guides: at most so many virtual functions of one physical function at a time. It is one firmware that serves their
 * commands, the SAVEs of the one and the LOADs of the other alike.
 */
const vendorLimits: Readonly<Record<string, number>> = { mlx5_vfio_pci: 4 }

type Member = Pick<DeviceSubject, 'device' | 'role'>

/** The devices of one physical function. All of a move are busy at once: a destination loads while its source saves. */
interface Crowd {
  readonly physfn: string
  readonly members: readonly Member[]
  readonly limit: number
}

/** The two sides meet at a physical function where they are on one machine. */
const perCrowd = over<Crowd>(({ pairs, machines, options }: Move) => {
  const sources = pairs.map(({ from }): Member => ({ device: from, role: 'source' }))
  const destinations = pairs.map(({ to }): Member => ({ device: to, role: 'destination' }))
  const together = onOneMachine(machines) ? [[...sources, ...destinations]] : [sources, destinations]
  return together.flatMap(members => crowdsOf(members, options))
})

function crowdsOf(all: readonly Member[], { perPfLimit }: PreflightOptions): Crowd[] {
  const physfns = new Set(all.map(physfnOf).filter(physfn => physfn !== undefined))
  return [...physfns].map(physfn => {
    const members = all.filter(member => physfnOf(member) === physfn)
    const limits = members.map(({ device: { driver } }) => vendorLimits[driver ?? ''] ?? Infinity)
    return { physfn, members, limit: perPfLimit ?? Math.min(...limits) }
  })
}

function physfnOf({ device: { hardware } }: Member): string | undefined {
  return hardware?.physfn
}

function shares({ members }: Crowd): string {
  const sources = members.filter(({ role }) => role === 'source')
  return `sources: ${sources.length}, destinations: ${members.length - sources.length}`
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
    applies: ({ members, limit }) => members.length > limit,
    device: ({ members }) => members[0]?.device.name ?? '',
    cause: crowd =>
      `${crowd.members.length} virtual functions of ${crowd.physfn} would move at a time (${shares(crowd)}), and it is to be at most ${crowd.limit}.`,
    remedy: () => 'Move them in several turns, or set perPfLimit.',
  }),
]
