// SPDX-License-Identifier: Apache-2.0
import type { MigrationReport, PairReport, SideReport } from '../index.ts'
import { causeOutput } from './cause.ts'
import type { Hand } from './hand.ts'
import type { Hands } from './hands.ts'
import type { PairOutput, ReportOutput, SideOutput } from './schemas/move.ts'

/** A report as JSON has it. */
export function reportOutput(report: MigrationReport, hands: Hands): ReportOutput {
  const { devices, phases, rounds, participant, findings, mock, ...rest } = report
  return {
    ...rest,
    mock: mock || undefined,
    devices: devices.map((pair, index) => pairOutput(pair, hands.sources[index], hands.destinations[index])),
    phases: [...phases],
    rounds: [...rounds],
    participant: participant.map(({ error, ...moment }) => ({
      ...moment,
      error: error === undefined ? undefined : causeOutput(error),
    })),
    findings: [...findings],
  }
}

function pairOutput(
  { source, destination, samples, ...rest }: PairReport,
  from: Hand | undefined,
  to: Hand | undefined,
): PairOutput {
  if (!from || !to) throw new Error('a report is of the devices in hand')
  return {
    source: sideOutput(source, from),
    destination: sideOutput(destination, to),
    ...rest,
    samples: [...samples],
  }
}

function sideOutput({ arcs, state, recovery, wasReset, error }: SideReport, hand: Hand): SideOutput {
  return {
    device: hand.output(),
    arcs: [...arcs],
    state,
    recovery,
    wasReset: wasReset || undefined,
    error: error && causeOutput(error),
  }
}
