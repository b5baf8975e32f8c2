// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Ending, Occupation } from './teardown-process.js'

const program = fileURLToPath(new URL('teardown-process.js', import.meta.url))

const expected: Readonly<Record<Ending, readonly [code: number | null, signal: string | null]>> = {
  'worker.terminate': [0, null],
  'process.exit': [7, null],
  'an uncaught throw': [1, null],
  'its natural end': [0, null],
  SIGTERM: [null, 'SIGTERM'],
  'SIGTERM with a handler': [9, null],
}

/** Node itself frees nothing on these ways out, so LeakSanitizer would have everything to say. */
const withoutCleanup: ReadonlySet<Ending> = new Set([
  'process.exit',
  'an uncaught throw',
  'SIGTERM with a handler',
])

function environment(ending: Ending): NodeJS.ProcessEnv {
  const options = process.env.ASAN_OPTIONS
  if (options === undefined || !withoutCleanup.has(ending)) return process.env
  return { ...process.env, ASAN_OPTIONS: `${options}:detect_leaks=0` }
}

async function end(ending: Ending, occupation: Occupation): Promise<void> {
  const child = spawn(process.execPath, [program, ending, occupation], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(ending),
  })
  const closed = once(child, 'close')
  const stderr = text(child.stderr)
  await once(child.stdout, 'data')
  if (ending.startsWith('SIGTERM')) child.kill('SIGTERM')
  const result = await closed
  assert.deepEqual(result, expected[ending], await stderr)
  assert.doesNotMatch(await stderr, /a held call expired/, 'waited for the call')
}

describe('the end of a process or thread', () => {
  for (const ending of Object.keys(expected) as Ending[]) {
    for (const occupation of [
      'idle',
      'in a read that waits',
      'in a pump that waits',
      'at a barrier',
      'in a call of 5 s',
      'in a write of 5 s',
      'in a write of lent memory',
    ] as const) {
      it(`is as ever with a device ${occupation}: ${ending}`, async function () {
        this.timeout(60_000 * Number(process.env.VFIO_TEST_SLOWNESS ?? 1))
        await end(ending, occupation)
      })
    }
  }
})
