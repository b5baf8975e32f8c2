// SPDX-License-Identifier: Apache-2.0
// Runs in the guest: saves the device that is lent as fd 3 into the standard output by the command itself, and writes to
// fd 4 how long it took from the answer to STOP_COPY to the last byte taken.
import { writeSync } from 'node:fs'
import { Writable } from 'node:stream'
import { run } from '../../dist/cli/run.js'
import { openDevice } from '../../dist/index.js'

const deviceFd = 3
const resultFd = 4

/** @param {import('vfio-migrate').Device} device */
function watch(device) {
  const setState = device.setState.bind(device)
  let begun = 0n
  let cpu = process.cpuUsage()
  device.setState = async (state, options) => {
    if (state === 'STOP') tell(begun, cpu, device.savingStream.bytesRead)
    const arcs = await setState(state, options)
    cpu = process.cpuUsage()
    begun = process.hrtime.bigint()
    return arcs
  }
  return device
}

/** @param {bigint} begun @param {NodeJS.CpuUsage} before @param {number} bytes */
function tell(begun, before, bytes) {
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9
  const { user, system } = process.cpuUsage(before)
  writeSync(resultFd, JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, bytes }))
}

/** What is said of a success is for nobody. @type {Buffer[]} */
const said = []
const stderr = new Writable({ write: (chunk, _, done) => (said.push(chunk), done()) })
const { stdout, stdin } = process
process.exitCode = await run(['node', 'vfio-migrate', 'save', '--raw', `fd:${deviceFd}`, '-o', '-'], {
  ...{ stdout, stderr, stdin },
  openDevice: async (target, options) => watch(await openDevice(target, options)),
})
if (process.exitCode !== 0) process.stderr.write(Buffer.concat(said))
