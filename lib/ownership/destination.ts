// SPDX-License-Identifier: Apache-2.0
import { destinationFacts, type Fact, type Journal } from './journal.ts'
import { checkFacts, Walk, type Table } from './table.ts'

export type DestinationState =
  | 'idle'
  | 'accepted'
  | 'interrupted'
  | 'intending'
  | 'committed'
  | 'doubtful'
  | 'running'
  | 'abdicating'
  | 'abdicated'

export type DestinationEvent = 'accept' | 'intend' | 'found-stopped' | 'ran' | 'abdicate'

/*
 *         accept              intend             durable               ran
 *    idle -----> accepted ---------> intending -----> committed ------------> running
 *      |            |                    |               |  ^                    ^
 *      |            | (a crash)          |               |  | found-stopped      |
 *      |            v                    |      abdicate |  |                    |
 *      |       interrupted               |               |  doubtful ------------+
 *      |            | abdicate           |               |     ^         ran
 *      +------------+--------------------+---------------+     | (a crash after run-intent)
 *                          |
 *                          v         durable
 *                      abdicating -----------> abdicated
 *
 * `abdicating`: nobody knows whether `abdicated` is durable, so it can only be written again. `doubtful`: an arc out of
 * STOP may have succeeded, so there is no way to `abdicated` until the devices themselves say that none has.
 */
export const destinationTable: Table<DestinationState, DestinationEvent> = {
  idle: {
    accept: { writes: 'accepted', meanwhile: 'idle', then: 'accepted' },
    abdicate: { writes: 'abdicated', meanwhile: 'abdicating', then: 'abdicated' },
  },
  accepted: {
    intend: { writes: 'run-intent', meanwhile: 'intending', then: 'committed' },
    abdicate: { writes: 'abdicated', meanwhile: 'abdicating', then: 'abdicated' },
  },
  interrupted: {
    abdicate: { writes: 'abdicated', meanwhile: 'abdicating', then: 'abdicated' },
  },
  intending: {
    intend: { writes: 'run-intent', meanwhile: 'intending', then: 'committed' },
    abdicate: { writes: 'abdicated', meanwhile: 'abdicating', then: 'abdicated' },
  },
  committed: {
    intend: { meanwhile: 'committed', then: 'committed' },
    ran: { writes: 'ran', meanwhile: 'running', then: 'running' },
    abdicate: { writes: 'abdicated', meanwhile: 'abdicating', then: 'abdicated' },
  },
  doubtful: {
    'found-stopped': { meanwhile: 'committed', then: 'committed' },
    ran: { writes: 'ran', meanwhile: 'running', then: 'running' },
  },
  running: { ran: { meanwhile: 'running', then: 'running' } },
  abdicating: {
    abdicate: { writes: 'abdicated', meanwhile: 'abdicating', then: 'abdicated' },
  },
  abdicated: { abdicate: { meanwhile: 'abdicated', then: 'abdicated' } },
}

const owning: ReadonlySet<DestinationState> = new Set(['committed', 'doubtful', 'running'])

/** Whether the destination's devices may be led out of STOP in `state`, as far as they still hold what was loaded. */
export function destinationMayRun(state: DestinationState): boolean {
  return owning.has(state)
}

/**
 * Where a process stands that finds these facts. Nothing tells it that what the one before had loaded was complete, so
 * that without `run-intent` it can only abdicate.
 */
export function recoveredDestination(facts: readonly Fact[]): DestinationState {
  checkFacts(facts, destinationFacts, ['ran', 'abdicated'])
  if (facts.includes('abdicated')) return 'abdicated'
  if (facts.includes('ran')) return 'running'
  if (facts.includes('run-intent')) return 'doubtful'
  return facts.includes('accepted') ? 'interrupted' : 'idle'
}

/**
 * The destination of one migration, as far as who may run is concerned. Every call resolves when it is durable, and
 * rejects with ERR_VFIO_OWNERSHIP where it must not come.
 */
export interface DestinationOwner {
  readonly state: DestinationState
  /** The destination's devices may be led out of STOP. */
  readonly mayRun: boolean
  /** Before anything is loaded. A migration is accepted once: a later process can only settle it. */
  accept(): Promise<void>
  /** The commit. All is complete, and the source's `yielded` was shown. */
  intend(): Promise<void>
  /** After a crash: every device was found in STOP, with its lock held, so that no arc out of STOP has succeeded. */
  foundStopped(): Promise<void>
  /**
   * An arc out of STOP has succeeded for at least one device of the set. Until this is durable no device is led back to
   * STOP: after a crash that would look as if none had left it.
   */
  ran(): Promise<void>
  /** The devices never run with this state. Refused once an arc out of STOP has succeeded, or may have. */
  abdicate(): Promise<void>
}

/**
 * The destination of the migration that `journal` is of; goes on where the process before it stood. The devices' locks
 * are held already: the process before may otherwise be still in the kernel, in an arc out of STOP.
 *
 * @throws VfioError ERR_VFIO_OWNERSHIP for a journal that no destination can have written.
 */
export async function destinationOwner(journal: Journal): Promise<DestinationOwner> {
  const walk = new Walk(destinationTable, journal, recoveredDestination(await journal.read()))
  return {
    get state() {
      return walk.state
    },
    get mayRun() {
      return destinationMayRun(walk.state)
    },
    accept: () => walk.take('accept'),
    intend: () => walk.take('intend'),
    foundStopped: () => walk.take('found-stopped'),
    ran: () => walk.take('ran'),
    abdicate: () => walk.take('abdicate'),
  }
}
