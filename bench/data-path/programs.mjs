// SPDX-License-Identifier: Apache-2.0
// The programs that are measured, each run in a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { answerOf } from '../answer.mjs'

/**
 * @typedef {import('./measure.mjs').Result} Result
 *
 * @typedef {object} Place where they run
 * @property {string} yardsticks the directory of the compiled ones
 * @property {string} fakeKernel the library that is preloaded under ours, from the root of the repository
 * @property {number} bytes
 * @property {string} source
 * @property {string} warmUp
 * @property {string} target
 *
 * @typedef {object} Program
 * @property {(isSummed: boolean) => Promise<Result>} run
 * @property {'answer' | 'target' | 'calls'} arrival whether it answers the sum of what arrived, or leaves that in the target; or only makes calls
 * @property {boolean} [writesMemory] what arrives is the beginning of the source, again and again
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const ways = fileURLToPath(new URL('ways.mjs', import.meta.url))

/** @param {Place} place @returns {Record<string, Program>} */
export function programsIn({ yardsticks, fakeKernel, ...files }) {
  const { source, target, bytes } = files
  const ofC = (/** @type {string[]} */ [program, ...args], /** @type {boolean} */ isSummed = false) =>
    answerOf([join(yardsticks, program), ...args, ...(isSummed ? ['sum'] : [])])
  const way = (/** @type {string} */ name, options = {}, /** @type {string[]} */ prefix = []) =>
    answerOf([...prefix, process.execPath, ways, name, JSON.stringify({ ...files, ...options })], {
      env: { LD_PRELOAD: fakeKernel },
      cwd: root,
    })
  const toReceiver = async (
    /** @type {boolean} */ isSummed,
    /** @type {(port: string) => Promise<Result>} */ send,
  ) => {
    const { port, end } = await receiver(join(yardsticks, 'receive'), isSummed)
    return await send(port).finally(end)
  }
  const reading = (/** @type {string} */ name) => ({
    run: (/** @type {boolean} */ isSummed) => way(name, { isSummed }),
    arrival: /** @type {const} */ ('answer'),
  })
  const calling = (/** @type {string} */ name, /** @type {string[]} */ prefix = []) => ({
    run: () => way(name, {}, prefix),
    arrival: /** @type {const} */ ('calls'),
  })
  return {
    read: { run: isSummed => ofC(['read', source], isSummed), arrival: 'answer' },
    send: {
      run: isSummed => toReceiver(isSummed, port => ofC(['send', source, port])),
      arrival: 'answer',
    },
    write: {
      run: () => ofC(['write', source, String(bytes), target]),
      arrival: 'target',
      writesMemory: true,
    },
    pump: { ...reading('pump'), arrival: 'target' },
    chunks: reading('chunks'),
    readable: reading('readable'),
    'createReadStream 64 KiB': reading('createReadStream 64 KiB'),
    'createReadStream 1 MiB': reading('createReadStream 1 MiB'),
    copyTo: {
      run: isSummed => toReceiver(isSummed, port => way('copyTo', { port })),
      arrival: 'answer',
    },
    resuming: { run: () => way('resuming'), arrival: 'target', writesMemory: true },
    state: calling('state', onOneCpu()),
    fstat: calling('fstat', onOneCpu()),
    'beside blocked': calling('beside blocked'),
    alone: calling('alone'),
  }
}

/** The first that we may use. */
function onOneCpu() {
  const [, cpu = '0'] = /^Cpus_allowed_list:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return ['taskset', '-c', cpu]
}

/** @param {string} program @param {boolean} isSummed */
async function receiver(program, isSummed) {
  const child = spawn(program, isSummed ? ['sum'] : [], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = await once(createInterface(child.stdout), 'line')
  return { port, end: () => child.kill() }
}
