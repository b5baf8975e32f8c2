// SPDX-License-Identifier: Apache-2.0
import { sourceFacts, type Fact, type Journal } from './journal.ts'
import { checkFacts, Walk, type Table } from './table.ts'

export type SourceState = 'owner' | 'yielding' | 'yielded' | 'reclaimed' | 'released'

export type SourceEvent = 'yield' | 'reclaim' | 'release'

/*
 *            yield            durable
 *    owner ---------> yielding -----> yielded ---------> released
 *      |                 |               |     release
 *      | reclaim         | reclaim       | reclaim
 *      +-----------------+---------------+-----> reclaimed
 *
 * In `yielding` nobody knows whether `yielded` is durable, and nobody was told of it: the destination cannot run, and no
 * proof is needed to go back, nor in `yielded` by the process that has not sent it yet. `reclaimed` and `released` hold at
 * once, for the proof is the destination's own durable word; what is written of it saves a later process the question.
 */
export const sourceTable: Table<SourceState, SourceEvent> = {
  owner: {
    yield: { writes: 'yielded', meanwhile: 'yielding', then: 'yielded' },
    reclaim: { meanwhile: 'reclaimed', then: 'reclaimed' },
  },
  yielding: {
    yield: { writes: 'yielded', meanwhile: 'yielding', then: 'yielded' },
    reclaim: { writes: 'reclaimed', meanwhile: 'reclaimed', then: 'reclaimed' },
  },
  yielded: {
    yield: { meanwhile: 'yielded', then: 'yielded' },
    reclaim: { writes: 'reclaimed', meanwhile: 'reclaimed', then: 'reclaimed' },
    release: { writes: 'released', meanwhile: 'released', then: 'released' },
  },
  reclaimed: { reclaim: { meanwhile: 'reclaimed', then: 'reclaimed' } },
  released: { release: { meanwhile: 'released', then: 'released' } },
}

const owning: ReadonlySet<SourceState> = new Set(['owner', 'reclaimed'])

/** Whether the source's devices may be run in `state`. */
export function sourceMayRun(state: SourceState): boolean {
  return owning.has(state)
}

/**
 * Where a process stands that finds these facts. With `yielded` alone it can neither run nor send it again: what has
 * become of the state is the destination's to say.
 */
export function recoveredSource(facts: readonly Fact[]): SourceState {
  checkFacts(facts, sourceFacts, ['reclaimed', 'released'])
  if (facts.includes('reclaimed')) return 'reclaimed'
  if (facts.includes('released')) return 'released'
  return facts.includes('yielded') ? 'yielded' : 'owner'
}

/**
 * The source of one migration, as far as who may run is concerned. Every call resolves when it is durable, and rejects
 * with ERR_VFIO_OWNERSHIP where it must not come.
 */
export interface SourceOwner {
  readonly state: SourceState
  /** The source's devices may run. */
  readonly mayRun: boolean
  /** Before `yielded` is sent. From the call on the source does not run again unless `reclaim()` is called. */
  yield(): Promise<void>
  /**
   * The destination's `abdicated` was shown, or no `yielded` was sent. Nothing is written when nothing was yielded. The
   * source may run from the call on, also when writing fails.
   */
  reclaim(): Promise<void>
  /** It was shown that the destination runs. */
  release(): Promise<void>
}

/**
 * The source of the migration that `journal` is of; goes on where the process before it stood. The devices' locks are
 * held already: the process before may otherwise be still in the kernel.
 *
 * @throws VfioError ERR_VFIO_OWNERSHIP for a journal that no source can have written.
 */
export async function sourceOwner(journal: Journal): Promise<SourceOwner> {
  const walk = new Walk(sourceTable, journal, recoveredSource(await journal.read()))
  return {
    get state() {
      return walk.state
    },
    get mayRun() {
      return sourceMayRun(walk.state)
    },
    yield: () => walk.take('yield'),
    reclaim: () => walk.take('reclaim'),
    release: () => walk.take('release'),
  }
}
