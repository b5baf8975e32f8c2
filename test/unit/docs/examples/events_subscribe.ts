// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { migrate, openDevice, type MigrationReport, type Phase } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const seen: string[] = []
subscribe('vfio-migrate:phase', message => {
  const { phase } = message as { phase: Phase }
  seen.push(phase)
})
subscribe('vfio-migrate:end', message => {
  const { report, error } = message as { report: MigrationReport; error?: Error }
  seen.push(error === undefined ? `the ${report.outcome} has it` : error.message)
})

await using from = await openDevice(new MockDevice())
await using to = await openDevice(new MockDevice())
await migrate({ from, to })
assert.equal(seen[0], 'preflight')
assert.equal(seen.at(-1), 'the destination has it')
