// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDevice } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const directory = await mkdtemp(join(tmpdir(), 'state-'))
const file = await open(join(directory, 'state'), 'wx+', 0o600)
await using source = await openDevice(new MockDevice({ size: '4MiB' }))
await using destination = await openDevice(new MockDevice({ size: '4MiB' }))

await source.setState('PRE_COPY')
const early = await source.savingStream.pump(file.fd, { until: 'idle' }) // while it goes on running
assert.equal(early.pause, 'idle')
await source.setState('STOP_COPY')
const late = await source.savingStream.pump(file.fd, { bytesPerSecond: 500e6 })
assert.equal(late.pause, 'end')

await destination.setState('RESUMING')
const again = await open(join(directory, 'state')) // from its beginning
const loaded = await destination.resumingStream.pump(again.fd)
assert.deepEqual(loaded, { bytes: early.bytes + late.bytes, pause: 'end' })
destination.resumingStream.end()
await destination.setState('RUNNING')

await Promise.all([file.close(), again.close()])
await rm(directory, { recursive: true })
