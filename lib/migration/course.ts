// SPDX-License-Identifier: Apache-2.0
import type { SideFacts } from '../checks/preflight_facts.ts'
import { edgesOf } from '../device/transition.ts'
import { missingFlags, pathTo, preCopyStates, type StateName } from '../kernel/state.ts'
import type { MemberArcs, PlannedStep, SideName } from './planned.ts'

/** Where saving begins, for a device that has the state; any other is led to STOP_COPY directly. No arc on the way may let a device run. */
const savingStates: Readonly<Partial<Record<StateName, StateName>>> = {
  RUNNING: 'PRE_COPY',
  RUNNING_P2P: 'PRE_COPY_P2P',
}

/** The state on the way out of a state, and into RUNNING from STOP, in which a device begins no DMA and still takes that of others. */
const quietStates: Readonly<Partial<Record<StateName, StateName>>> = {
  STOP: 'RUNNING_P2P',
  RUNNING: 'RUNNING_P2P',
  RUNNING_P2P: 'RUNNING_P2P',
  PRE_COPY: 'PRE_COPY_P2P',
  PRE_COPY_P2P: 'PRE_COPY_P2P',
}

/** The devices of one side on paper: where they are led, and by which arcs. */
export class Course {
  readonly #side: SideName
  readonly #isSet: boolean
  readonly #members: readonly { readonly facts: SideFacts; at: StateName }[]

  /** The devices of a set wait for each other. */
  constructor(side: SideName, devices: readonly SideFacts[], { isSet }: { isSet: boolean }) {
    this.#side = side
    this.#isSet = isSet
    this.#members = devices.map(facts => ({ facts, at: facts.state ?? 'ERROR' }))
  }

  /** Every device to `target`. */
  lead(target: StateName): PlannedStep[] {
    return this.#lead(() => target)
  }

  /** Every device that runs and has pre-copy into that. */
  leadToSaving(): PlannedStep[] {
    return this.#lead((at, facts) => reachable(savingStates[at], facts) ?? at)
  }

  /** Every device to `target`, where no one goes beyond its P2P state before all are in theirs. */
  leadTogether(target: StateName): PlannedStep[] {
    const quiet = this.#lead((at, facts) =>
      // A device that has stopped is not run on its way to STOP_COPY.
      at === 'STOP' && target !== 'RUNNING' ? at : (reachable(quietStates[at], facts) ?? at),
    )
    const waits = this.#isSet && quiet.length > 0
    return [
      ...quiet,
      ...(waits ? [{ kind: 'barrier', side: this.#side } as const] : []),
      ...this.lead(target),
    ]
  }

  /** The members that give out state and have not stopped. */
  savingWhileRunning(): number[] {
    return [...this.#members.keys()].filter(member => preCopyStates.has(this.#members[member]?.at ?? 'STOP'))
  }

  #lead(target: (at: StateName, facts: SideFacts) => StateName): PlannedStep[] {
    const members = this.#members.map((member, index): MemberArcs => {
      const { at, facts } = member
      const arcs = edgesOf(at, pathTo(at, target(at, facts), facts.capabilities) ?? [])
      member.at = arcs.at(-1)?.to ?? at
      return { member: index, device: facts.name, arcs }
    })
    const moving = members.filter(({ arcs }) => arcs.length > 0)
    return moving.length === 0 ? [] : [{ kind: 'arcs', side: this.#side, members: moving }]
  }
}

function reachable(state: StateName | undefined, { capabilities }: SideFacts): StateName | undefined {
  return state !== undefined && missingFlags(state, capabilities).length === 0 ? state : undefined
}
