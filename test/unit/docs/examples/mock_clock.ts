// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'

const clock = new VirtualClock() // one for all devices that have to do with each other
const common = { clock, size: '1MiB', latency: { SAVE: '30s', SUSPEND_INITIATOR: '5s' } }
await using source = await openDevice(new MockDevice(common))
await using destination = await openDevice(new MockDevice(common))

const { totalMs, downtimeMs } = await migrate({ from: source, to: destination })
assert.equal(totalMs, 70_000) // 5 s at the destination; 30 s, then 5 s and 30 s, at the source
assert.equal(downtimeMs, 35_000)
assert.equal(clock.now(), 70_000) // it was over at once, and is the same every time
