// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

await using device = await openDevice(new MockDevice())
const config = device.regions[7]
assert.deepEqual(await config?.read(0, 4, { width: 4 }), Uint8Array.of(0xb3, 0x15, 0x1e, 0x10)) // 15b3:101e
await config?.write(4, Uint8Array.of(0x06, 0), { width: 2 }) // memory and bus mastering
