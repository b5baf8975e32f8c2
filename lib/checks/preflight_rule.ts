// SPDX-License-Identifier: Apache-2.0
import type { Level, Machines, Move, PairFacts, SideFacts } from './preflight_facts.ts'
import type { Rule } from './rule.ts'

/** A row of the preflight's table over subjects of one kind. All rows that apply are told, to each subject. */
export interface PreflightRow<Subject> extends Rule<Subject> {
  readonly level: Level
  /** False where going on could only do damage, or could not work. */
  readonly overridable?: false
  /** Which device the finding is about. */
  device(subject: Subject): string
}

/** A row, with the subjects of a move that it is applied to. */
export interface PreflightRule {
  readonly id: string
  readonly level: Level
  readonly overridable: boolean
  /** What the row says of every subject that it applies to. */
  findings(
    move: Move,
  ): readonly { readonly device: string; readonly cause: string; readonly remedy: string }[]
}

/** What makes rules of rows, over the subjects that `subjects` finds in a move. */
export function over<Subject>(
  subjects: (move: Move) => readonly Subject[],
): (row: PreflightRow<Subject>) => PreflightRule {
  return row => ({
    id: row.id,
    level: row.level,
    overridable: row.overridable ?? true,
    findings: move =>
      subjects(move)
        .filter(subject => row.applies(subject))
        .map(subject => ({
          device: row.device(subject),
          cause: row.cause(subject),
          remedy: row.remedy(subject),
        })),
  })
}

export type PairSubject = PairFacts & Move

/** The rows about a pair name its source, unless they say otherwise. */
export function perPair(row: Omit<PreflightRow<PairSubject>, 'device'>): PreflightRule {
  return overPairs({ ...row, device: ({ from }) => from.name })
}

const overPairs = over<PairSubject>(move => move.pairs.map(pair => ({ ...pair, ...move })))

export interface DeviceSubject {
  readonly device: SideFacts
  readonly role: 'source' | 'destination'
  readonly move: Move
}

/** The rows about one device, on either side. */
export function perDevice(row: Omit<PreflightRow<DeviceSubject>, 'device'>): PreflightRule {
  return overDevices({ ...row, device: ({ device }) => device.name })
}

const overDevices = over<DeviceSubject>(move =>
  move.pairs.flatMap(({ from, to }): DeviceSubject[] => [
    { device: from, role: 'source', move },
    { device: to, role: 'destination', move },
  ]),
)

export function onOneMachine({ from, to }: Machines): boolean {
  return from.bootId === to.bootId
}

/** True where both sides tell, and not the same. */
export function differ<T>(one: T | undefined, other: T | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other
}
