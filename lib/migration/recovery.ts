// SPDX-License-Identifier: Apache-2.0
import { checkUnmoved } from '../device/transition.ts'
import type { StateName } from '../kernel/state.ts'
import type { Side } from './side.ts'

/** What is done with a device when a migration is taken back. */
export type Act =
  /** It is left as it is found. */
  | 'nothing'
  /** Likewise, and its report says that somebody else drives it. */
  | 'tell'
  /** It is led back to the state that it was in. */
  | 'return'
  /** Nothing but a reset helps: `onStuck` decides. */
  | 'stuck'

/** One row of docs/recovery.md: the first that applies is what is done. */
export interface RecoveryRow {
  readonly id: string
  readonly side: 'source' | 'destination'
  readonly applies: (
    side: Pick<Side, 'hasMoved' | 'isPoisoned' | 'wasResumed' | 'expected'>,
    state: StateName | undefined,
  ) => boolean
  readonly act: Act
}

const hasFailed = (state: StateName | undefined): boolean => state === undefined || state === 'ERROR'

/**
 * What becomes of each device, by its side and by where the failure left it. A source whose session is dead looks like
 * any other in the saving group: the arc back shows it, by failing. Asked once the state is known to be the source's
 * again; where it is the destination's, or nobody can say, nothing is touched.
 */
// prettier-ignore
export const recoveryTable: readonly RecoveryRow[] = [
  { id: 'source-untouched', side: 'source', act: 'nothing', applies: ({ hasMoved }) => !hasMoved },
  { id: 'source-poisoned', side: 'source', act: 'stuck', applies: ({ isPoisoned }) => isPoisoned },
  { id: 'source-failed', side: 'source', act: 'stuck', applies: (_, state) => hasFailed(state) },
  { id: 'source-taken', side: 'source', act: 'tell', applies: ({ expected }, state) => state !== expected },
  { id: 'source-moved', side: 'source', act: 'return', applies: () => true },
  { id: 'destination-untouched', side: 'destination', act: 'nothing', applies: ({ hasMoved }) => !hasMoved },
  { id: 'destination-failed', side: 'destination', act: 'stuck', applies: (_, state) => hasFailed(state) },
  { id: 'destination-taken', side: 'destination', act: 'tell', applies: ({ expected }, state) => state !== expected },
  { id: 'destination-loaded', side: 'destination', act: 'stuck', applies: ({ wasResumed }) => wasResumed },
  { id: 'destination-moved', side: 'destination', act: 'return', applies: () => true },
]

export type OnStuck = 'reset' | 'leave'

/** Puts one device back as far as that can be; what hinders it is written down, not thrown. */
export async function takeBack(
  side: Side,
  which: 'source' | 'destination',
  onStuck: OnStuck | undefined,
): Promise<void> {
  await side.idle()
  const state = await stateOf(side)
  const act = actOf(side, which, state)
  if (act === 'stuck') await unstick(side, onStuck)
  if (act === 'tell') tellTaken(side, state)
  if (act === 'return' && side.before !== undefined) {
    await side.goBack(side.before).catch(async (error: unknown) => {
      side.fail(error)
      // One whose state is known holds it whole, and it may be the last copy.
      if (actOf(side, which, await stateOf(side)) === 'stuck') await unstick(side, onStuck)
    })
  }
}

async function stateOf({ device }: Side): Promise<StateName | undefined> {
  return await device.state().catch(() => undefined)
}

function actOf(side: Side, which: 'source' | 'destination', state: StateName | undefined): Act | undefined {
  return recoveryTable.find(row => row.side === which && row.applies(side, state))?.act
}

function tellTaken(side: Side, state: StateName | undefined): void {
  try {
    if (side.expected && state) checkUnmoved(side.expected, state, side.device.name)
  } catch (error) {
    side.fail(error)
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
