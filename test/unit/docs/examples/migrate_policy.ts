// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { dryRun, migrate, openDevice, type Policy } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'

const clock = new VirtualClock()
const workload = { clock, size: '1MiB', dirty: '1MiB/s' } as const
await using from = await openDevice(new MockDevice(workload))
await using to = await openDevice(new MockDevice(workload))

const plan = await dryRun([from], [to]) // touches nothing
assert.ok(plan.possible)

// Not in the first minute, unless it costs next to nothing.
const policy: Policy = ({ elapsedMs, predicted }) => {
  if (predicted.downtimeMs < 20) return { decision: 'switch', why: 'it costs next to nothing' }
  return elapsedMs < 60_000 ? 'continue' : 'abort'
}
const report = await migrate({ from, to, policy, bandwidth: 1024 ** 3 })
assert.equal(report.outcome, 'destination')
assert.ok(report.downtimeMs < 20)
