// SPDX-License-Identifier: Apache-2.0
import type {
  Finding,
  MigrationPlan,
  PlannedDevice,
  PlannedPair,
  PlannedStep,
  PrecopyClass,
} from '../index.ts'
import { remedyWords } from './finding_words.ts'
import { bytesText } from './quantity.ts'
import { pairs } from './table.ts'

/** A plan for a person: every step on a line, those of one step of several devices below each other. */
export function planWords(plan: MigrationPlan): string {
  const { possible, pairs: planned, findings, phases, predicted } = plan
  const { source, destination } = predicted.kernelMemoryBytes
  return pairs([
    ['possible', possible ? 'yes' : 'no'],
    ...planned.map(pair => ['pair', pairText(pair)] as const),
    ['all states', planned.length > 1 ? sizeText(predicted.stateBytes) : undefined],
    [
      'kernel memory',
      source + destination === 0
        ? undefined
        : `${bytesText(source)} for the source, ${bytesText(destination)} for the destination`,
    ],
    ...findings.map(
      finding =>
        [
          findingTitle(finding),
          `${finding.id}: ${finding.cause}\n${remedyWords(finding)}`.trimEnd(),
        ] as const,
    ),
    ...phases.map(
      ({ phase, steps }) =>
        [phase, steps.flatMap(stepLines(planned)).join('\n') || 'all that is told above'] as const,
    ),
  ])
}

const precopies: Readonly<Record<PrecopyClass, string>> = {
  incremental: 'pre-copy of what has changed',
  full: 'pre-copy of whole images',
  setup: 'pre-copy of a header only',
  none: 'no pre-copy',
}

function pairText({ source, destination, stateBytes, precopy }: PlannedPair): string {
  return `${deviceText(source)} → ${deviceText(destination)}\n${sizeText(stateBytes)}, ${precopies[precopy]}`
}

function deviceText({ device, driver, mock, state }: PlannedDevice): string {
  const what = mock ? `a mock of ${driver}` : (driver ?? 'of a driver that is not known')
  return `${device} (${what}, in ${state ?? 'no state'})`
}

function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? 'a size that its driver does not tell' : bytesText(bytes)
}

function findingTitle({ level, overridden }: Finding): string {
  return overridden ? 'overridden' : level === 'refuse' ? 'refused' : 'warning'
}

const proofs = {
  apart: 'the sources have not stopped with the destinations',
  whole: 'count, sum and framing of what was loaded are those of what was saved',
} as const

function stepLines(planned: readonly PlannedPair[]): (step: PlannedStep) => string[] {
  const nameOf = (member: number): string => planned[member]?.source.device ?? ''
  return step => {
    switch (step.kind) {
      case 'arcs':
        return step.members.map(
          ({ device, arcs }) =>
            `${step.side} ${device}: ${[arcs[0]?.from, ...arcs.map(({ to }) => to)].join(' → ')}`,
        )
      case 'barrier':
        return [`each ${step.side} waits for the others`]
      case 'moment':
        return [`the participant of the ${step.side}: ${step.moment}`]
      case 'stream':
        return [
          step.until === 'idle'
            ? `${nameOf(step.member)} gives state until it has none for now, round after round`
            : `${nameOf(step.member)} gives the rest of its state`,
        ]
      case 'log':
        return [`DMA logs of the sources: ${step.call}`]
      case 'proof':
        return [`proved: ${proofs[step.of]}`]
      case 'word':
        return [`the ${step.side}'s word: ${step.word}`]
    }
  }
}
