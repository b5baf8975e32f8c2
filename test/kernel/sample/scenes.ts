// SPDX-License-Identifier: Apache-2.0
import type { Fault } from '#lib/mock/index.js'
import type { Scene, SideName, Struck } from '../../matrix/case.ts'
import type { Sampled } from './case.ts'
import type { Deal } from './deck.ts'

/** Makes a case; there are some that nobody comes to. */
export type Kind = (deal: Deal) => Sampled

const mlx5: Scene = { flavour: 'mlx5', members: 1, origin: 'opened' }

/** Whose source runs. */
export const scenes: readonly Scene[] = (['opened', 'lent'] as const).flatMap(origin =>
  ([undefined, 'reset', 'leave'] as const).flatMap(onStuck =>
    ([undefined, false] as const).map(precopy => ({
      ...mlx5,
      origin,
      ...(onStuck && { onStuck }),
      ...(precopy === false && { precopy }),
    })),
  ),
)

/** Also those in which it does not, or not all of it. */
export const allScenes: readonly Scene[] = [
  ...scenes,
  ...scenes.flatMap(scene => (['STOP', 'RUNNING_P2P'] as const).map(begins => ({ ...scene, begins }))),
]

export const inPrecopy = scenes.filter(({ precopy }) => precopy !== false)

/** In which a destination is blank in the end, however much of what was under way it had taken when it was given up. */
export const clearing = allScenes.filter(
  ({ origin, onStuck }) => onStuck === 'reset' || (onStuck === undefined && origin === 'opened'),
)

export const sides = ['source', 'destination'] as const

/** A fault of a device of the one pair that there is. */
export const struck = (side: SideName, fault: Fault): Struck => ({ side, member: 0, fault })
