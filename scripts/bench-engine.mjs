// SPDX-License-Identifier: Apache-2.0
// npm run bench:engine: how long the migration engine lets a device stand, beside a C program that does the same work,
// on the kernel's own mlx5 driver with simulated firmware, in virtual machines with two kernels.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import { columnsOf, rowsOf } from '../bench/engine/rows.mjs'
import { withSection } from '../bench/engine/section.mjs'
import { USAGE_ERROR, readArguments, wholeNumbers } from './arguments.mjs'
import { bundle } from './guest/bundle.mjs'
import { guestEnvironment } from './guest/environment.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, run, say, step } from './steps.mjs'
import { runInGuest } from './vm/guest.mjs'
import { KERNELS, ensureKernel, guestPackages } from './vm/kernel.mjs'

const SERIES = ['precopy', 'stopped', 'set', 'link']
const USAGE = `Usage: npm run bench:engine [-- options]
  --kernel NAME      6.12, newest (both)
  --series NAME      ${SERIES.join(', ')} (all)
  --rounds N         11
A run of all, with 7 rounds or more, writes bench/results/engine.json and its section of docs/performance.md; another
one writes its numbers to standard output. The exit status is 1 where something that is required is not met.`

const PROGRAM = join(ROOT, 'build/bench/move')
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

/** @param {import('./vm/kernel.mjs').Kernel} kernel */
async function compileProgram({ headers = '' }) {
  mkdirSync(join(ROOT, 'build/bench'), { recursive: true })
  const source = join(ROOT, 'bench/engine/move.c')
  await run(['cc', '-O2', '-Wall', '-Wextra', '-Werror', '-isystem', headers, '-o', PROGRAM, source])
}

/**
 * @param {import('./vm/kernel.mjs').Kernel} kernel
 * @param {string} program
 * @param {{ series: string[], rounds: number }} choice
 */
async function measureOn(kernel, program, { series, rounds }) {
  /** @type {Buffer[]} */
  const output = []
  const stdout = new Writable({ write: (chunk, _, done) => (output.push(chunk), done()) })
  const env = { ...(await guestEnvironment(kernel)), VFIO_MIGRATE_BENCH_MOVE: PROGRAM }
  const command = [process.execPath, '--enable-source-maps', program, String(rounds), ...series]
  const guest = await runInGuest({ kernel, command, env, stdout, ...MACHINE })
  for (const line of guest.warnings) say(`kernel: ${line}`)
  if (guest.status !== 0 || guest.warnings.length > 0)
    throw new StepError(`The guest ${guest.ending} with ${guest.status}. Its console: ${guest.consoleLog}`)
  return { release: kernel.release ?? '', series: JSON.parse(Buffer.concat(output).toString()) }
}

/** What the numbers are measured on, asked before: a guest is a load itself. */
function machine() {
  const qemu = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).stdout.match(
    /[\d.]+/,
  )?.[0]
  const accelerator = process.env.VFIO_MIGRATE_ACCEL === 'kvm' ? 'KVM' : 'TCG emulation'
  const [load = 0] = loadavg()
  if (load > QUIET_LOAD)
    say(`Others work on this machine (load ${load.toFixed(1)}): the null rows show what that does`)
  return { cores: availableParallelism(), load, guestCores: 2, accelerator, qemu, node: process.version }
}

/** @param {{ names: string[], series: string[], rounds: number }} choice */
function isWhole({ names, series, rounds }) {
  const has = (/** @type {string[]} */ some, /** @type {string[]} */ all) =>
    all.every(name => some.includes(name))
  return has(names, KERNELS) && has(series, SERIES) && rounds >= ENOUGH_ROUNDS
}

/** @param {import('../bench/engine/section.mjs').Results} results */
async function keep(results) {
  const text = existsSync(DOCUMENT) ? readFileSync(DOCUMENT, 'utf8') : '# Performance\n'
  await writeFormatted(RESULTS, JSON.stringify(withColumns(results), inMicroseconds))
  await writeFormatted(DOCUMENT, withSection(text, results))
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

/** @param {string} path @param {string} text */
async function writeFormatted(path, text) {
  const { format, resolveConfig } = await import('prettier')
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, await format(text, { ...(await resolveConfig(path)), filepath: path }))
  say(`Written: ${path}`)
}

/** @param {import('../bench/engine/rows.mjs').Row} row */
function sentence({ name, against, ratio, required, met }) {
  return `${met ? 'met    ' : 'NOT met'} ${name}: ${ratio.toFixed(3)} of ${against}, at most ${required}`
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
    await compileProgram(kernel)
    measured.push(await step(`Linux ${kernel.release}`, () => measureOn(kernel, program, choice)))
  }
  const rows = measured.flatMap(({ release, series }) => rowsOf(release, series))
  const results = { machine: conditions, rows, kernels: measured }
  for (const row of rows) say(sentence(row))
  if (isWhole(choice)) await keep(results)
  else console.log(JSON.stringify(results))
  return rows.every(({ met }) => met) ? 0 : 1
})
