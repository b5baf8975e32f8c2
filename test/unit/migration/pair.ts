// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { MigrationReport, PairReport } from 'vfio-migrate'

/** The one pair of devices of a migration that was none of a set. */
export function pairOf({ devices }: MigrationReport): PairReport {
  const [pair, ...others] = devices
  assert.ok(pair && others.length === 0, `a report of ${devices.length} pairs`)
  return pair
}
