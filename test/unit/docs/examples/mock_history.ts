// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const mock = new MockDevice()
await using device = await openDevice(mock)
await device.setState('STOP')
await device.setState('RUNNING')

const commands = mock.history.filter(event => event.kind === 'command').map(({ command }) => command)
assert.deepEqual(commands, ['SUSPEND_INITIATOR', 'SUSPEND_RESPONDER', 'RESUME_RESPONDER', 'RESUME_INITIATOR'])
