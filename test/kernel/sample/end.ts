// SPDX-License-Identifier: Apache-2.0
import type { StateName } from '#lib/index.js'
import type { SideReport } from '#lib/migration/report.js'
import type { SideName } from '../../matrix/case.ts'
import type { Played } from './play.ts'
import type { Hands, Holding, Stage } from './stage.ts'

/** How a case ended, without what depends on time: on mocks and on the driver it is the same. */
export interface End extends Readonly<Record<SideName, SideEnd>> {
  readonly outcome: string | undefined
  readonly error: string | undefined
  readonly cause: string | undefined
  /** At each moment of the participant: who executed the state that is moved. */
  readonly moments: Played['moments']
  readonly loaded: readonly Content[]
}

export interface SideEnd {
  readonly state: StateName | undefined
  readonly resets: number
  readonly holds: Content
  /** It makes a step when it is all over. */
  readonly runs: boolean
  readonly told: Told | undefined
}

/** What a device holds, by whose state it is and how old, where every byte is as it has to be then. */
export type Content = Pick<Holding, 'of' | 'epoch' | 'isTrue'>

/** What the report says. */
export interface Told extends Pick<SideReport, 'state' | 'wasReset' | 'recovery'> {
  readonly error: string | undefined
  readonly arcs: readonly string[]
}

export async function endOf(stage: Stage, played: Played): Promise<End> {
  const { report, error, moments, loaded } = played
  const [pair] = report?.devices ?? []
  return {
    outcome: report?.outcome,
    error: error === undefined ? undefined : wordOf(error),
    cause: error instanceof Error && error.cause !== undefined ? wordOf(error.cause) : undefined,
    moments,
    loaded: loaded ? [contentOf(loaded.source), contentOf(loaded.destination)] : [],
    source: await sideEnd(stage.source, played.atEnd.source, pair?.source),
    destination: await sideEnd(stage.destination, played.atEnd.destination, pair?.destination),
  }
}

async function sideEnd(hands: Hands, holding: Holding, told: SideReport | undefined): Promise<SideEnd> {
  const runs = hands.runs()
  if (runs) hands.step(1)
  return {
    state: await hands.state(),
    resets: hands.resets(),
    holds: contentOf(holding),
    runs,
    told: told && toldOf(told),
  }
}

const contentOf = ({ of, epoch, isTrue }: Holding): Content => ({ of, epoch, isTrue })

function toldOf({ state, wasReset, recovery, error, arcs }: SideReport): Told {
  const made = arcs.map(({ to }) => to)
  return { state, wasReset, recovery, error: error && wordOf(error), arcs: made }
}

/** What two failures have in common that are of the same making: messages name devices and calls. */
function wordOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error as NodeJS.ErrnoException).code ?? error.message
}
