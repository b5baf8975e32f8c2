// SPDX-License-Identifier: Apache-2.0
import type { Machines, PairFacts, PreflightOptions, SideFacts } from '../checks/preflight_facts.ts'
import { kernelMemoryBytes } from '../checks/preflight_size.ts'
import type { Device } from '../device/device.ts'
import type { HardwareOptions } from '../host/hardware.ts'
import { precopyClass } from '../kernel/drivers.ts'
import { Course } from './course.ts'
import type { Moment } from './participant.ts'
import { phases, type Phase } from './phases.ts'
import type {
  MigrationPlan,
  PlannedDevice,
  PlannedPair,
  PlannedPhase,
  PlannedStep,
  SideName,
} from './planned.ts'
import { preflight, refuse, sideFacts } from './preflight.ts'

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
  { precopy = true, noP2pDma = false, dmaLogging }: PlanOptions,
): PlannedPhase[] {
  const [givers, takers] = [pairs.map(({ from }) => from), pairs.map(({ to }) => to)]
  const isSet = pairs.length > 1 && !noP2pDma
  const source = new Course('source', givers, { isSet })
  const destination = new Course('destination', takers, { isSet })
  const log = (call: LogCall): PlannedStep[] => (dmaLogging ? [{ kind: 'log', call }] : [])
  const steps: Readonly<Record<Phase, () => PlannedStep[]>> = {
    preflight: () => [],
    prepare: () => [
      ...destination.lead('STOP'),
      { kind: 'proof', of: 'apart' },
      ...destination.lead('RESUMING'),
    ],
    precopy: () => [...log('start'), ...(precopy ? rounds(source, log('report')) : [])],
    quiesce: () => [moment('source', 'quiesce')],
    'stop-copy': () => [
      ...source.leadTogether('STOP_COPY'),
      ...log('last report'),
      moment('source', 'stopped'),
      { kind: 'word', side: 'source', word: 'yielded' },
      ...streams([...pairs.keys()], 'end'),
    ],
    load: () => [{ kind: 'proof', of: 'whole' }],
    complete: () => destination.lead('STOP'),
    commit: () => [
      moment('destination', 'restored'),
      { kind: 'word', side: 'destination', word: 'run-intent' },
    ],
    run: () => [...destination.leadTogether('RUNNING'), moment('destination', 'running')],
    release: () => [...source.lead('STOP'), ...log('stop'), moment('source', 'released')],
  }
  return phases.map(phase => ({ phase, steps: steps[phase]() }))
}

type LogCall = Extract<PlannedStep, { kind: 'log' }>['call']

function rounds(source: Course, after: readonly PlannedStep[]): PlannedStep[] {
  const begun = source.leadToSaving()
  const members = source.savingWhileRunning()
  return [...begun, ...streams(members, 'idle'), ...(members.length > 0 ? after : [])]
}

function moment(side: SideName, name: Moment): PlannedStep {
  return { kind: 'moment', side, moment: name }
}

function streams(members: readonly number[], until: 'idle' | 'end'): PlannedStep[] {
  return members.map(member => ({ kind: 'stream', member, until }))
}
