// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { loadAddon } from '#lib/backend/native.js'
import { migrate, openDevice } from '#lib/index.js'
import { createMtty } from './mtty.ts'
import { openPair } from './opened.ts'

const warmUp = 10
const mebibyte = 1024 * 1024

/** Each session may read into a buffer of 1 MiB: one of them left in each round would be more than this by far. */
const allowedGrowth = 24 * mebibyte

/** The collector, which Node shows only when it is told to. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

function counts(): Record<string, number> {
  const { lanes, sessions, devices, farEnds } = loadAddon().census()
  return { fds: readdirSync('/proc/self/fd').length, lanes, sessions, devices, farEnds }
}

const threadCount = (): number => readdirSync('/proc/self/task').length

/** Lanes are detached: a thread may be a moment from its end when its device is closed. */
async function threadsSettledAt(expected: number): Promise<number> {
  let threads = NaN
  for (let tries = 0; tries < 1000 && threads !== expected; tries++) {
    threads = threadCount()
    await new Promise(setImmediate)
  }
  return threads
}

/** Runs `round` often, and compares what the process holds before and after. */
async function leavesNothing(rounds: number, round: () => Promise<void>): Promise<void> {
  const collect = collector()
  for (let warm = 0; warm < warmUp; warm++) await round()
  collect()
  const [before, threads, memory] = [counts(), threadCount(), process.memoryUsage.rss()]
  for (let done = 0; done < rounds; done++) await round()
  collect()
  const growth = process.memoryUsage.rss() - memory
  console.log(`      memory after ${rounds} rounds: ${(growth / mebibyte).toFixed(1)} MiB more than before`)
  assert.deepEqual(counts(), before)
  assert.equal(await threadsSettledAt(threads), threads)
  assert.ok(growth < allowedGrowth, `${growth} bytes`)
}

describe('saving and loading', () => {
  it('200 times on open devices leaves no fd, thread, session or memory', async () => {
    await using pair = await openPair()
    let [from, to] = [pair.source, pair.destination]
    await leavesNothing(200, async () => {
      await migrate({ from, to })
      ;[from, to] = [to, from]
      await to.setState('RUNNING')
    })
  })

  for (const via of ['cdev', 'group'] as const) {
    it(`50 times on devices opened by ${via} and closed again leaves no fd, thread, session or memory`, async () => {
      await using one = await createMtty()
      await using two = await createMtty()
      await leavesNothing(50, async () => {
        await using source = await openDevice(one.uuid, { via })
        await using destination = await openDevice(two.uuid, { via })
        await migrate({ from: source, to: destination })
      })
    })
  }
})
