// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { MigrationError, type PairReport, type SideReport } from 'vfio-migrate'
import type { MockDevice } from 'vfio-migrate/mock'
import { pairOf } from '../migration/pair.js'
import type { Left, Row } from './fault_table.js'

/** A row as the name of its test. */
export const words = ({ at, fault: { on, nth, ...effect } }: Row): string =>
  `${at} ${on}${nth === undefined ? '' : ` ${nth}`} ${Object.entries(effect).join(' ').replaceAll(',', ' ')}`

/** Where a device was left, as a row has it. */
export const left = ({ state }: MockDevice, { recovery, wasReset }: SideReport): Left => [
  state,
  wasReset ? 'was reset' : recovery,
]

/** The code of the failure that came first, and what became of the devices. */
export function failed(error: unknown): { code: unknown; pair: PairReport } {
  assert.ok(error instanceof MigrationError, String(error))
  return { code: (error.cause as { code?: unknown }).code, pair: pairOf(error.report) }
}
