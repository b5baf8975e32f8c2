// SPDX-License-Identifier: Apache-2.0
import { isVfioError } from '../index.ts'
import type { Arc, DowntimeParts, Finding, MigrationReport, PairReport, SideReport } from '../index.ts'
import { messageOf } from './cause.ts'
import { remedyWords } from './finding_words.ts'
import { arcText, bytesText, msText } from './quantity.ts'
import { pairs, table } from './table.ts'

/** A migration that has happened, for a person. */
export function reportWords(report: MigrationReport): string {
  const { devices, downtimeMs, totalMs, phases, participant, participantDowntimeMs } = report
  return pairs([
    ...devices.flatMap(pairWords),
    ['rounds', roundsText(report)],
    ['downtime', msText(downtimeMs)],
    ['  of it', downtimeText(report)],
    ['phases', phases.map(({ phase, ms }) => timed(phase, ms)).join('\n')],
    ['participant', participant.map(({ moment, ms }) => timed(moment, ms)).join('\n') || undefined],
    ['  in all', participantDowntimeMs === undefined ? undefined : msText(participantDowntimeMs)],
    ['total', msText(totalMs)],
  ]) // prettier-ignore
}

/** As wide as the longest name of a phase, and a time. */
const [nameWidth, timeWidth] = ['preflight'.length, 11]

function timed(name: string, ms: number): string {
  return `${name.padEnd(nameWidth)}  ${msText(ms).padStart(timeWidth)}`
}

type Row = readonly [string, string | undefined]

function pairWords({ source, destination, ...moved }: PairReport): Row[] {
  return [
    ['source', sideText(source)],
    ['destination', sideText(destination)],
    ['moved', movedText(moved)],
  ]
}

function sideText({ device, driver, mock, state, arcs }: SideReport): string {
  const name = mock ? `${device}, a mock of ${driver}` : device
  return [
    `${name}, in ${state ?? 'a state that it does not tell'}`,
    ...arcs.map((arc: Arc) => arcText(arc)),
  ].join('\n')
}

function movedText(moved: Omit<PairReport, 'source' | 'destination'>): string {
  const { bytes, precopyBytes, sideDataBytes, restarts, gaveUpPrecopy } = moved
  const early = `${bytesText(precopyBytes)} of them while the source ran`
  const also = [
    sideDataBytes > 0 && `${bytesText(sideDataBytes)} of the participant beside them`,
    restarts > 0 && `the device began anew ${restarts === 1 ? 'once' : `${restarts} times`}`,
    gaveUpPrecopy && 'the driver gave pre-copy up without a word',
  ]
  return [`${bytesText(bytes)}, ${early}`, ...also.filter(line => line !== false)].join('\n')
}

function roundsText({ rounds }: MigrationReport): string {
  if (rounds.length === 0) return 'none'
  return table(
    ['', 'ended', 'bytes', 'downtime foreseen', 'at worst', 'decided'],
    rounds.map(({ round, atMs, bytes, predicted, decision }) => [
      String(round),
      msText(atMs),
      bytesText(bytes),
      msText(predicted.downtimeMs),
      msText(predicted.worstMs),
      decision,
    ]),
  )
}

const parts: Readonly<Record<keyof DowntimeParts, string>> = {
  stopArcsMs: 'arcs that stop',
  saveMs: 'save',
  linkMs: 'link',
  loadMs: 'load',
  startArcsMs: 'arcs that start',
  participantMs: 'participant',
}

function downtimeText({ downtime, predicted }: MigrationReport): string | undefined {
  if (downtime === undefined) return undefined
  const names = Object.keys(parts) as (keyof DowntimeParts)[]
  return table(
    ['', 'was', 'foreseen'],
    [
      ...names.map(name => [
        parts[name],
        msText(downtime[name]),
        predicted ? msText(predicted.parts[name]) : '',
      ]),
      ...(predicted
        ? [
            [
              'all',
              msText(names.reduce((sum, name) => sum + downtime[name], 0)),
              msText(predicted.downtimeMs),
            ],
          ]
        : []),
    ],
  )
}

/** What was found beforehand and does not refuse. */
export function warnings(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level, overridden }) => level === 'warn' || overridden)
    .map(finding =>
      [
        `${finding.overridden ? `overridden (${finding.id})` : 'warning'}: ${finding.cause}`,
        remedyWords(finding),
      ]
        .filter(Boolean)
        .join(' '),
    )
}

/** What a migration that was taken back has cost. */
export function pauseWords({ pausedMs, devices }: MigrationReport): string[] {
  if (pausedMs === undefined) return []
  return [`The source${devices.length > 1 ? 's' : ''} stood for ${msText(pausedMs)}.`]
}

/** What the participant did not get through, and what that leaves to do. */
export function participantWords({ participant, devices }: MigrationReport): string[] {
  const said = new Set<unknown>()
  return participant.flatMap(({ moment, error }) => {
    if (error === undefined) return []
    const cause = error instanceof Error ? error.cause : undefined
    // A connection that has ended fails every moment from then on.
    const isSaid = isVfioError(cause) && said.has(cause)
    said.add(cause)
    if (moment === 'running' || moment === 'resumed')
      return [
        `${isSaid ? '' : `${messageOf(error)}. `}${owedWords(runnerOf(moment, devices), isVfioError(cause))}`,
      ]
    return moment === 'released' && !isSaid ? [`${messageOf(error)}.`] : []
  })
}

function runnerOf(moment: 'running' | 'resumed', devices: readonly PairReport[]): string {
  if (moment === 'running') return 'The destination runs'
  const runs = devices.every(({ source: { state } }) => state === 'RUNNING')
  return runs ? 'The source runs' : "The state is the source's"
}

/** Whom it was asked through may have gone before it heard; otherwise it was told, and did not get through. */
function owedWords(runner: string, isCutOff: boolean): string {
  return `${runner}, and the participant ${isCutOff ? 'was not told' : 'was told, and has not gone on'}: see to it.`
}
