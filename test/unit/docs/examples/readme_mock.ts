// SPDX-License-Identifier: Apache-2.0
import { openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'

const clock = new VirtualClock() // minutes of firmware take no time
const faults = [{ on: 'SAVE', nth: 2, status: 9 }] as const
const mock = new MockDevice({ clock, size: '64MiB', dirty: '20MiB/s', faults })
await using device = await openDevice(mock)
console.assert(device.mock)
