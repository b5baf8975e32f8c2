// SPDX-License-Identifier: Apache-2.0
import { addon } from './addon.js'

const STOP_COPY = 3

// Answers come, and this thread is not there to take them.
const { calls } = await addon.openCdev('/dev/vfio/devices/vfio0', '/dev/iommu', undefined)
const { session } = (await calls?.setStates([STOP_COPY])) ?? {}
for (let i = 0; i < 4; i++) void session?.read(1 << 20, 0)
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
