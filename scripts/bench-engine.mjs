// SPDX-License-Identifier: Apache-2.0
// npm run bench:engine: how long the migration engine lets a device stand, beside a C program that does the same work,
// on the kernel's own mlx5 driver with simulated firmware, in virtual machines with two kernels.
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { columnsOf, rowsOf } from '../bench/engine/rows.mjs'
import { withEngine } from '../bench/engine/section.mjs'
import { sentence } from '../bench/row.mjs'
import { USAGE_ERROR, readArguments, wholeNumbers } from './arguments.mjs'
import { bundle } from './guest/bundle.mjs'
import { emulation, measureInGuest } from './guest/measured.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, say, step } from './steps.mjs'
import { KERNELS, ensureKernel, guestPackages } from './vm/kernel.mjs'
import { rewriteDocument, writeFormatted } from './written.mjs'
import { compileYardstick } from './yardstick.mjs'

const SERIES = ['precopy', 'stopped', 'set', 'link']
const USAGE = `Usage: npm run bench:engine [-- options]
  --kernel NAME      6.12, newest (both)
  --series NAME      ${SERIES.join(', ')} (all)
  --rounds N         11
A run of all, with 7 rounds or more, writes bench/results/engine.json and its section of docs/performance.md; another
one writes its numbers to standard output. The exit status is 1 where something that is required is not met.`

const RESULTS = join(ROOT, 'bench/results/engine.json')
const DOCUMENT = join(ROOT, 'docs/performance.md')
const ENOUGH_ROUNDS = 7
const QUIET_LOAD = 0.5

/** Four functions of each physical one, for a set of four; 64 MiB of state are several times in memory. */
const MACHINE = { vfs: 4, pfs: 2, memory: 2048, timeoutSeconds: 1800 }

function choose() {
  const { values } = readArguments(USAGE, {
    options: {
      kernel: { type: 'string', multiple: true, default: KERNELS },
      series: { type: 'string', multiple: true, default: SERIES },
      rounds: { type: 'string', default: '11' },
    },
  })
  const [rounds = 0] = wholeNumbers(USAGE, { rounds: values.rounds })
  const unknown = values.series.filter(name => !SERIES.includes(name))
  if (unknown.length > 0 || rounds === 0) throw new StepError(USAGE, USAGE_ERROR)
  return { names: values.kernel, series: values.series, rounds }
}

/**
 * @param {import('./vm/kernel.mjs').Kernel} kernel
 * @param {string} program
 * @param {{ series: string[], rounds: number }} choice
 */
async function measureOn(kernel, program, { series, rounds }) {
  const env = { VFIO_MIGRATE_BENCH_MOVE: await compileYardstick('bench/engine/move.c', kernel) }
  const command = [program, String(rounds), ...series]
  return {
    release: kernel.release ?? '',
    series: await measureInGuest(kernel, command, env, MACHINE),
  }
}

/** What the numbers are measured on, asked before: a guest is a load itself. */
function machine() {
  const [load = 0] = loadavg()
  if (load > QUIET_LOAD)
    say(`Others work on this machine (load ${load.toFixed(1)}): the null rows show what that does`)
  return { cores: availableParallelism(), load, ...emulation(), node: process.version }
}

/** @param {{ names: string[], series: string[], rounds: number }} choice */
function isWhole({ names, series, rounds }) {
  const has = (/** @type {string[]} */ some, /** @type {string[]} */ all) =>
    all.every(name => some.includes(name))
  return has(names, KERNELS) && has(series, SERIES) && rounds >= ENOUGH_ROUNDS
}

/** @param {import('../bench/engine/section.mjs').Results} results */
async function keep(results) {
  await writeFormatted(RESULTS, JSON.stringify(withColumns(results), inMicroseconds))
  await rewriteDocument(DOCUMENT, text => withEngine(text, results))
}

/** @param {import('../bench/engine/section.mjs').Results} results */
const withColumns = results => ({
  ...results,
  kernels: results.kernels.map(({ release, series }) => ({
    release,
    series: mapped(series, ways => mapped(ways, columnsOf)),
  })),
})

/** @template T @param {Record<string, T>} object @param {(value: T) => unknown} change */
const mapped = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))

/** What is behind the third digit of a number of milliseconds, or of a ratio, says nothing. @param {string} _ @param {unknown} value */
function inMicroseconds(_, value) {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
}

await main(async () => {
  const choice = choose()
  const { names } = choice
  await setup(guestPackages(names))
  const kernels = []
  for (const name of names) kernels.push(await ensureKernel(name))
  const program = await bundle({ entry: join(ROOT, 'bench/engine/guest.mjs') }, 'bench_engine.mjs')
  const conditions = machine()
  const measured = []
  for (const kernel of kernels) {
    measured.push(await step(`Linux ${kernel.release}`, () => measureOn(kernel, program, choice)))
  }
  const rows = measured.flatMap(({ release, series }) => rowsOf(release, series))
  const results = { machine: conditions, rows, kernels: measured }
  for (const row of rows) say(sentence(row))
  if (isWhole(choice)) await keep(results)
  else console.log(JSON.stringify(results))
  return rows.every(({ met }) => met) ? 0 : 1
})
