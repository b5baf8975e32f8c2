// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'

const clock = new VirtualClock()
const mock = new MockDevice({ clock, dirty: '1MiB/s', origin: 'lent' }) // somebody drives it
await clock.sleep(1000)
assert.equal(mock.epoch, 256n) // a second of work: 1 MiB in pages of 4 KiB

const lent = await openDevice(mock) // as fd:N
await lent.close()
assert.equal(mock.epoch, 256n) // nothing was reset

await mock.release() // its holder closes it, which was the last close
assert.equal(mock.epoch, 0n)
