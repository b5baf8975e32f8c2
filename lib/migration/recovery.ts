// SPDX-License-Identifier: Apache-2.0
import type { StateName } from '../kernel/state.ts'
import type { Side } from './side.ts'

/** What is done with a device when a migration is taken back. */
export type Act =
  /** It is left as it is found. */
  | 'nothing'
  /** It is led back to the state that it was in. */
  | 'return'
  /** Nothing but a reset helps: `onStuck` decides. */
  | 'stuck'

/** One row of docs/recovery.md: the first that applies is what is done. */
export interface RecoveryRow {
  readonly id: string
  readonly side: 'source' | 'destination'
  readonly applies: (
    side: Pick<Side, 'hasMoved' | 'isPoisoned' | 'wasResumed'>,
    state: StateName | undefined,
  ) => boolean
  readonly act: Act
}

/**
 * What becomes of each device, by its side and by where the failure left it. A source whose session is dead looks like
 * any other in the saving group: the arc back shows it, by failing. Asked once the state is known to be the source's
 * again; where it is the destination's, or nobody can say, nothing is touched.
 */
// prettier-ignore
export const recoveryTable: readonly RecoveryRow[] = [
  { id: 'source-untouched', side: 'source', act: 'nothing', applies: ({ hasMoved }) => !hasMoved },
  { id: 'source-poisoned', side: 'source', act: 'stuck', applies: ({ isPoisoned }) => isPoisoned },
  { id: 'source-unknown', side: 'source', act: 'stuck', applies: (_, state) => state === undefined || state === 'ERROR' },
  { id: 'source-moved', side: 'source', act: 'return', applies: () => true },
  { id: 'destination-untouched', side: 'destination', act: 'nothing', applies: ({ hasMoved }) => !hasMoved },
  { id: 'destination-loaded', side: 'destination', act: 'stuck', applies: ({ wasResumed }) => wasResumed },
  { id: 'destination-unknown', side: 'destination', act: 'stuck', applies: (_, state) => state === undefined || state === 'ERROR' },
  { id: 'destination-moved', side: 'destination', act: 'return', applies: () => true },
]

export type OnStuck = 'reset' | 'leave'

/** Puts one device back as far as that can be; what hinders it is written down, not thrown. */
export async function takeBack(
  side: Side,
  which: 'source' | 'destination',
  onStuck: OnStuck | undefined,
): Promise<void> {
  const state = await side.device.state().catch(() => undefined)
  const act = recoveryTable.find(row => row.side === which && row.applies(side, state))?.act
  if (act === 'stuck') await unstick(side, onStuck)
  if (act === 'return' && side.before !== undefined) {
    await side.goBack(side.before).catch(async (error: unknown) => {
      side.fail(error)
      await unstick(side, onStuck)
    })
  }
}

/** A lent device is not reset unless told: what it holds may be dear to its lender. */
async function unstick(side: Side, onStuck: OnStuck | undefined): Promise<void> {
  const chosen = onStuck ?? (side.device.origin === 'lent' ? 'leave' : 'reset')
  try {
    if (chosen === 'reset') await side.reset()
    else side.leaveStuck()
  } catch (error) {
    side.fail(error)
    side.leaveStuck()
  }
}
