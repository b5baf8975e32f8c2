// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, MigrationError, openDevice } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const from = new MockDevice({ size: '1MiB' })
const to = new MockDevice({ size: '1MiB', faults: [{ on: 'LOAD', nth: 1, errno: 'ETIMEDOUT' }] })
await using source = await openDevice(from)
await using destination = await openDevice(to)

const error: unknown = await migrate({ from: source, to: destination }).catch((error: unknown) => error)
assert.ok(error instanceof MigrationError)
const [pair] = error.report.devices
assert.equal(pair?.source.state, 'RUNNING') // it runs on
assert.equal(pair.destination.wasReset, true) // it was opened here, and is blank again

from.inject({ on: 'QUERY', hold: true }) // from now on; until releaseHeld()
assert.deepEqual(from.unusedFaults().length, 1)
