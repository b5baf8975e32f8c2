// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { MockDevice, MockOops } from 'vfio-migrate/mock'

const PRE_COPY = 6
const RUNNING = 2
const mock = new MockDevice({ faults: [{ on: 'SAVE_CLEANUP', errno: 'EIO' }] })
const { calls } = mock.open() // the bare calls, without the library's care
await calls.setStates([PRE_COPY])
assert.equal((await calls.setStates([RUNNING])).result, -5) // EIO, and the driver has dropped its session
await assert.rejects(calls.setStates([RUNNING]), MockOops) // the kernel would have crashed here
