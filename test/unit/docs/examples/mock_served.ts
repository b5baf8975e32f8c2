// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDevice } from 'vfio-migrate'
import { MockDevice, serveMock } from 'vfio-migrate/mock'

const path = join(tmpdir(), `mock-${process.pid}`)
const mock = new MockDevice()
await using server = await serveMock(mock, path, { dies: 'with-host' })

// in any process of this machine:
await using device = await openDevice(`mock+unix:${server.path}`)
assert.equal(device.origin, 'lent')
await device.setState('STOP')
assert.equal(mock.state, 'STOP')
