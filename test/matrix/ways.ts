// SPDX-License-Identifier: Apache-2.0
import type { ErrnoName } from '#lib/kernel/errno.js'
import { faultPoints, resolveOptions, type Fault, type FaultPoint } from 'vfio-migrate/mock'
import { crashesByOthers, type Deed, type Scene, type SideName } from './case.js'
import { errnoOfStatus, kindsOfStatus, statuses } from './statuses.js'

/**
 * By how many errnos and statuses the calls of a scene fail.
 *
 * `everything`: each that there is.
 * `errnos`: each errno; of the statuses one of each line of docs/firmware-model.md, by which its errno comes. Before a
 * driver sees it cmd_status_to_err() of mlx5_core has made EIO, EINVAL, EBUSY, EAGAIN or ENOMEM of a status, and the mock
 * has; 0x9 is told from the rest of EINVAL, as a SAVE in pre-copy survives it.
 * `classes`: 0x9; ENODEV, at which the library looks whether the device is there at all (lib/device/path.ts); and one of
 * all others, of which it asks no more than that the call has failed, but for the words of its remedy.
 */
export type Extent = 'everything' | 'errnos' | 'classes'

/** MLX5_CMD_STAT_BAD_RES_STATE_ERR. */
const badResourceState = 0x9

/** Where a device can fail. */
export interface Place {
  readonly scene: Scene
  readonly side: SideName
  readonly member: number
  readonly on: FaultPoint
  readonly extent: Extent
}

/** What is done at a point, and while it is held. */
export interface Way {
  readonly fault: Omit<Fault, 'on' | 'nth'>
  readonly whileHeld?: Deed
}

/** Whose streams carry sums: of another a changed byte is a byte of another state, as its driver has it. */
const hasSums: ReadonlySet<string> = new Set(['mlx5', 'virtio', 'pds'])

function rulesOf({ flavour }: Scene): ReturnType<typeof faultPoints> {
  return faultPoints({ flavour, capabilities: resolveOptions({ flavour }).capabilities })
}

/** Every point at which a device of the scene can fail. */
export function pointsOf(scene: Scene): FaultPoint[] {
  return Object.keys(rulesOf(scene)) as FaultPoint[]
}

/** How a call can end there, or a command. */
export function failuresAt({ scene, on, extent }: Place): Way[] {
  const { errno = [], status } = rulesOf(scene)[on] ?? {}
  const kinds = status ? kindsOfStatus : []
  const told = kinds.map(errnoOfStatus)
  const each: Readonly<Record<Extent, { errnos: readonly ErrnoName[]; statuses: readonly number[] }>> = {
    everything: { errnos: errno, statuses: status ? statuses : [] },
    errnos: { errnos: errno.filter(name => !told.includes(name)), statuses: kinds },
    classes: {
      errnos: errno.filter((name, index) => index === 0 || name === 'ENODEV'),
      statuses: kinds.filter(kind => kind === badResourceState),
    },
  }
  const those = each[extent]
  return [
    ...those.errnos.map(errno => ({ fault: { errno } })),
    ...those.statuses.map(status => ({ fault: { status } })),
  ]
}

/** All that can happen there. */
export function waysAt(place: Place): Way[] {
  const { scene, side, member, on } = place
  const { flavour } = scene
  const rule = rulesOf(scene)[on]
  if (rule === undefined) return []
  const isFatal = crashesByOthers(flavour, side)
  const deeds: Deed[] = [
    { kind: 'signal' },
    ...(on === 'RESET' || isFatal ? [] : [{ kind: 'reset', side, member } as const]),
  ]
  return [
    ...failuresAt(place),
    ...(rule.hold ? deeds.map(whileHeld => ({ fault: { hold: true }, whileHeld })) : []),
    ...(rule.reset && !isFatal ? [{ fault: { reset: true } }] : []),
    ...(rule.bytes ? [0, 20, 30].map(cut => ({ fault: { cut } })) : []),
    ...(rule.bytes && hasSums.has(flavour) ? [0, 100, 5000].map(flip => ({ fault: { flip } })) : []),
    ...(rule.event ? [{ fault: {} }] : []),
  ]
}
