// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const from = new MockDevice({ size: '4MiB', dirty: '20MiB/s', workingSet: '1MiB' })
const to = new MockDevice({ size: '4MiB' })
await using source = await openDevice(from) // a Device like any other
await using destination = await openDevice(to)

const report = await migrate({ from: source, to: destination })
assert.equal(to.digest(), from.digest()) // equal digests mean equal bytes
assert.equal(report.mock, true) // and no number of it says anything of hardware
