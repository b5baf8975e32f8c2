// SPDX-License-Identifier: Apache-2.0
// A process that locks the device that argv names, in the directory that argv names, and keeps it.
import { writeSync } from 'node:fs'
import { lockIn } from '#lib/device/lock.js'

const [, , directory = '', name = ''] = process.argv
const { path } = await lockIn(directory, { name, via: 'cdev' })
writeSync(1, `${path}\n`)
setInterval(() => path, 1 << 30)
