// SPDX-License-Identifier: Apache-2.0
import { destinationTable } from '#lib/ownership/destination.js'
import { sourceTable } from '#lib/ownership/source.js'
import type { Wrong } from './migration.js'
import { rules, type Rules } from './rules.js'

/** What is wrong when a rule is not kept. */
export interface Mutation {
  readonly what: string
  readonly rules: Partial<Rules>
  readonly finds: Wrong | 'dead end'
}

const abdication = destinationTable.accepted.abdicate
const { owner, yielding } = sourceTable

function destinationWith(change: Partial<Rules['destinationTable']>): Partial<Rules> {
  return { destinationTable: { ...destinationTable, ...change } }
}

function without(table: Rules['destinationTable'], state: keyof Rules['destinationTable'], event: string) {
  const cells = Object.entries(table[state]).filter(([name]) => name !== event)
  return { [state]: Object.fromEntries(cells) }
}

/** Every rule of the tables and of docs/protocol.md that was made for a reason, each broken once. */
export const mutations: readonly Mutation[] = [
  {
    what: 'the destination abdicates after an arc out of STOP',
    rules: destinationWith({ running: { ...destinationTable.running, abdicate: abdication } as never }),
    finds: 'double',
  },
  {
    what: 'the destination abdicates while an arc out of STOP is in the kernel',
    rules: { arcFirst: false },
    finds: 'double',
  },
  {
    what: 'the destination abdicates after a crash without having looked at its devices',
    rules: destinationWith({ doubtful: { ...destinationTable.doubtful, abdicate: abdication } as never }),
    finds: 'double',
  },
  {
    what: 'the destination looks at one device of the set only',
    rules: { allFoundStopped: false },
    finds: 'double',
  },
  {
    what: 'the destination leads its devices back to STOP before ran is durable',
    rules: { ranFirst: false },
    finds: 'double',
  },
  {
    what: 'the destination runs before run-intent is durable',
    rules: destinationWith({
      accepted: {
        ...destinationTable.accepted,
        intend: { writes: 'run-intent', meanwhile: 'committed', then: 'committed' },
      },
    }),
    finds: 'double',
  },
  {
    what: 'a state is complete, and is run, before the source has yielded',
    rules: { endAfterYielded: false, yieldedFirst: false, commitNeedsYielded: false },
    finds: 'double',
  },
  {
    what: 'abdicated is sent before it is durable',
    rules: { abdicatedIsToldIn: ['abdicating', 'abdicated'] },
    finds: 'double',
  },
  {
    what: 'abdicated is answered for what is unknown, and not written',
    rules: { unknownIsWritten: false },
    finds: 'double',
  },
  {
    what: 'a migration that was abdicated is accepted again',
    rules: destinationWith({
      abdicated: { ...destinationTable.abdicated, accept: destinationTable.idle.accept } as never,
    }),
    finds: 'double',
  },
  {
    what: 'yielded, and end after it, are sent before it is durable',
    rules: { yieldedIsToldIn: ['yielding', 'yielded'] },
    finds: 'double',
  },
  {
    what: 'the source runs again without proof',
    rules: { proofFirst: false },
    finds: 'double',
  },
  {
    what: 'a source that comes back takes yielded for unsent',
    rules: { provenAfterCrash: false },
    finds: 'double',
  },
  {
    what: 'a process recovers without the lock of its devices',
    rules: { lockFirst: false },
    finds: 'double',
  },
  {
    what: 'the destination is complete before it was shown yielded',
    rules: { yieldedFirst: false },
    finds: 'loss',
  },
  {
    what: 'the destination gives up what is complete because the link breaks',
    rules: { completeGoesOn: false },
    finds: 'loss',
  },
  {
    what: 'the source asks for it back when it has nothing to run with',
    rules: { blankAsksNothingBack: false },
    finds: 'loss',
  },
  {
    what: 'a destination that lost everything says nothing',
    rules: { lostIsTold: false },
    finds: 'dead end',
  },
  {
    what: 'a destination that recovers has no way out of doubt',
    rules: destinationWith(without(destinationTable, 'doubtful', 'found-stopped')),
    finds: 'dead end',
  },
  {
    what: 'a source whose yielded could not be written has no way back',
    rules: {
      sourceTable: { ...sourceTable, owner, yielding: yielding.yield ? { yield: yielding.yield } : {} },
    },
    finds: 'dead end',
  },
  {
    what: 'an abdication that could not be written is not written again',
    rules: destinationWith(without(destinationTable, 'abdicating', 'abdicate')),
    finds: 'dead end',
  },
]

export function mutated({ rules: change }: Mutation): Rules {
  return { ...rules, ...change }
}
