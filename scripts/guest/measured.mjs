// SPDX-License-Identifier: Apache-2.0
// Measuring in a guest.
import { spawnSync } from 'node:child_process'
import { Writable } from 'node:stream'
import { StepError, say } from '../steps.mjs'
import { runInGuest } from '../vm/guest.mjs'
import { guestEnvironment } from './environment.mjs'

/**
 * Runs a bundled program in a guest and answers the JSON that it writes to its standard output.
 * @param {import('../vm/kernel.mjs').Kernel} kernel
 * @param {string[]} command the program and its arguments
 * @param {Record<string, string>} env
 * @param {Partial<import('../vm/guest.mjs').GuestOptions>} machine
 */
export async function measureInGuest(kernel, command, env, machine) {
  /** @type {Buffer[]} */
  const output = []
  const stdout = new Writable({ write: (chunk, _, done) => (output.push(chunk), done()) })
  const guest = await runInGuest({
    ...machine,
    kernel,
    command: [process.execPath, '--enable-source-maps', ...command],
    env: { ...(await guestEnvironment(kernel)), ...env },
    stdout,
  })
  for (const line of guest.warnings) say(`kernel: ${line}`)
  if (guest.status !== 0 || guest.warnings.length > 0)
    throw new StepError(`The guest ${guest.ending} with ${guest.status}. Its console: ${guest.consoleLog}`)
  return JSON.parse(Buffer.concat(output).toString())
}

/** What the guests are emulated by. */
export function emulation() {
  const { stdout } = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' })
  const accelerator = process.env.VFIO_MIGRATE_ACCEL === 'kvm' ? 'KVM' : 'TCG emulation'
  return { guestCores: 2, accelerator, qemu: stdout.match(/[\d.]+/)?.[0] }
}
