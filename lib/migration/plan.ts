// SPDX-License-Identifier: Apache-2.0
import type { Finding, Machines, PairFacts, PreflightOptions, SideFacts } from '../checks/preflight_facts.ts'
import { kernelMemoryBytes } from '../checks/preflight_size.ts'
import type { Device } from '../device/device.ts'
import type { Edge } from '../device/transition.ts'
import type { HardwareOptions } from '../host/hardware.ts'
import { precopyClass, type PrecopyClass } from '../kernel/drivers.ts'
import type { StateName } from '../kernel/state.ts'
import { Course } from './course.ts'
import type { Moment } from './participant.ts'
import { phases, type Phase } from './phases.ts'
import { preflight, refuse, sideFacts } from './preflight.ts'

export type SideName = 'source' | 'destination'

/**
 * One thing that would be done. What one step has for several devices happens at once, and the next step begins when all
 * of it is done. `member` counts the pairs from 0.
 */
export type PlannedStep =
  /** The SETs, device by device. */
  | { readonly kind: 'arcs'; readonly side: SideName; readonly members: readonly MemberArcs[] }
  /** No device goes on before all of its side are here: none may begin DMA to one that has stopped. */
  | { readonly kind: 'barrier'; readonly side: SideName }
  /** The participant is called and awaited. */
  | { readonly kind: 'moment'; readonly side: SideName; readonly moment: Moment }
  /** State flows from the source's device into the destination's: until there is nothing now, as often as the policy says, or until the end. */
  | { readonly kind: 'stream'; readonly member: number; readonly until: 'idle' | 'end' }
  /** Nobody's state changes; the migration ends here where it does not hold. `apart`: the sources did not stop with the destinations. `whole`: count, sum and framing of what was loaded. */
  | { readonly kind: 'proof'; readonly of: 'apart' | 'whole' }
  /** A durable word about who may run. */
  | { readonly kind: 'word'; readonly side: SideName; readonly word: 'yielded' | 'run-intent' }

export interface MemberArcs {
  readonly member: number
  readonly device: string
  readonly arcs: readonly Edge[]
}

export interface PlannedPhase {
  readonly phase: Phase
  readonly steps: readonly PlannedStep[]
}

export interface PlannedDevice {
  readonly device: string
  readonly driver: string | undefined
  readonly mock: boolean
  /** Where it is now. */
  readonly state: StateName | undefined
}

export interface PlannedPair {
  readonly source: PlannedDevice
  readonly destination: PlannedDevice
  /** The size of the source's state as its driver tells it; pre-copy moves more than once what changes meanwhile. */
  readonly stateBytes: number | undefined
  readonly precopy: PrecopyClass
}

/** What a migration would do. Plain JSON; nothing was touched to make it. */
export interface MigrationPlan {
  /** Nothing refuses it. */
  readonly possible: boolean
  readonly findings: readonly Finding[]
  readonly pairs: readonly PlannedPair[]
  /** In their order; empty for a migration that is refused. */
  readonly phases: readonly PlannedPhase[]
  readonly predicted: {
    /** Of all states together; undefined where a driver does not tell. */
    readonly stateBytes: number | undefined
    /** Kernel memory that the drivers take, as far as it is known of them. */
    readonly kernelMemoryBytes: Readonly<Record<SideName, number>>
  }
}

export interface PlanOptions extends PreflightOptions {
  /** False stops the source at once, as in `migrate()`. */
  readonly precopy?: boolean | undefined
}

/** Asks the devices, and plans what `migrate()` would do with them. Touches nothing. */
export async function dryRun(
  from: readonly Device[],
  to: readonly Device[],
  options: PlanOptions & HardwareOptions = {},
): Promise<MigrationPlan> {
  if (from.length !== to.length || from.length === 0)
    throw new TypeError(`each source takes one destination: ${from.length} and ${to.length} were given`)
  const [source, destination] = await Promise.all([sideFacts(from, options), sideFacts(to, options)])
  const pairs = source.devices.flatMap((device, member): PairFacts[] => {
    const taker = destination.devices[member]
    return taker === undefined ? [] : [{ from: device, to: taker }]
  })
  return planMigration(pairs, { from: source.machine, to: destination.machine }, options)
}

/** What a migration would do, by what both sides tell of themselves. */
export function planMigration(
  pairs: readonly PairFacts[],
  machines: Machines,
  options: PlanOptions = {},
): MigrationPlan {
  const findings = preflight(pairs, machines, options)
  const possible = refuse(findings) === undefined
  return {
    possible,
    findings,
    pairs: pairs.map(pair => plannedPair(pair, options)),
    phases: possible ? phasesOf(pairs, options) : [],
    predicted: {
      stateBytes: sum(pairs.map(({ from }) => from.stateBytes)),
      kernelMemoryBytes: {
        source: kernelMemoryBytes(pairs, 'source'),
        destination: kernelMemoryBytes(pairs, 'destination'),
      },
    },
  }
}

function plannedPair({ from, to }: PairFacts, options: PlanOptions): PlannedPair {
  const isStopped = from.state === 'STOP' || options.precopy === false
  const precopy = isStopped ? 'none' : precopyClass(from.driver, from.capabilities.preCopy)
  return { source: plannedDevice(from), destination: plannedDevice(to), stateBytes: from.stateBytes, precopy }
}

function plannedDevice({ name, driver, mock, state }: SideFacts): PlannedDevice {
  return { device: name, driver, mock, state }
}

function sum(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.reduce((all, size) => (all === undefined || size === undefined ? undefined : all + size), 0)
}

/** The one description of the order in which things are done. Making the phases moves the two courses along. */
function phasesOf(
  pairs: readonly PairFacts[],
  { precopy = true, noP2pDma = false }: PlanOptions,
): PlannedPhase[] {
  const [givers, takers] = [pairs.map(({ from }) => from), pairs.map(({ to }) => to)]
  const isSet = pairs.length > 1 && !noP2pDma
  const source = new Course('source', givers, { isSet })
  const destination = new Course('destination', takers, { isSet })
  const steps: Readonly<Record<Phase, () => PlannedStep[]>> = {
    preflight: () => [],
    prepare: () => [
      ...destination.lead('STOP'),
      { kind: 'proof', of: 'apart' },
      ...destination.lead('RESUMING'),
    ],
    precopy: () =>
      precopy ? [...source.leadToSaving(), ...streams(source.savingWhileRunning(), 'idle')] : [],
    quiesce: () => [moment('source', 'quiesce')],
    'stop-copy': () => [
      ...source.leadTogether('STOP_COPY'),
      moment('source', 'stopped'),
      { kind: 'word', side: 'source', word: 'yielded' },
      ...streams([...pairs.keys()], 'end'),
    ],
    load: () => [{ kind: 'proof', of: 'whole' }],
    complete: () => [...destination.lead('STOP'), moment('destination', 'restored')],
    commit: () => [{ kind: 'word', side: 'destination', word: 'run-intent' }],
    run: () => [...destination.leadTogether('RUNNING'), moment('destination', 'running')],
    release: () => [...source.lead('STOP'), moment('source', 'released')],
  }
  return phases.map(phase => ({ phase, steps: steps[phase]() }))
}

function moment(side: SideName, name: Moment): PlannedStep {
  return { kind: 'moment', side, moment: name }
}

function streams(members: readonly number[], until: 'idle' | 'end'): PlannedStep[] {
  return members.map(member => ({ kind: 'stream', member, until }))
}
