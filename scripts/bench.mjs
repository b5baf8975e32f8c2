// SPDX-License-Identifier: Apache-2.0
// npm run bench: the data path beside C programs that do the same, and beside Node's own streams.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { alternate } from '../bench/alternate.mjs'
import { MemoryFile } from '../bench/data-path/files.mjs'
import { limit, settle } from '../bench/data-path/judge.mjs'
import { Disturbance } from '../bench/disturbance.mjs'
import { programsIn } from '../bench/data-path/programs.mjs'
import { withDataPath } from '../bench/data-path/section.mjs'
import { growths, guestSubject, longTimes, rowNames, subjects } from '../bench/data-path/subjects.mjs'
import { sentence } from '../bench/row.mjs'
import { USAGE_ERROR, readArguments, wholeNumbers } from './arguments.mjs'
import { bundle } from './guest/bundle.mjs'
import { emulation, measureInGuest } from './guest/measured.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, say, step } from './steps.mjs'
import { KERNELS, ensureKernel, guestPackages } from './vm/kernel.mjs'
import { rewriteDocument, writeFormatted } from './written.mjs'
import { YARDSTICKS, compileYardstick } from './yardstick.mjs'

const WHOLE = { rounds: 33, size: 1024 }
const USAGE = `Usage: npm run bench [-- options]
  --row NAME         ${rowNames.join(', ')} (all)
  --rounds N         ${WHOLE.rounds}; of vm a third
  --size MIB         ${WHOLE.size}
A run of all, with ${WHOLE.rounds} rounds or more of ${WHOLE.size} MiB, writes bench/results/data-path.json and its section of
docs/performance.md; another one writes its rows to standard output. The exit status is 1 where something that is
required is not met, or cannot be said because the machine is not quiet.`

const RESULTS = join(ROOT, 'bench/results/data-path.json')
const DOCUMENT = join(ROOT, 'docs/performance.md')
const QUIET_LOAD = 0.3
const mebibyte = 2 ** 20
const warmUpMiB = 64
/** write.c and ways.mjs have so much in memory. */
const writtenMiB = 64

/** What is saved in the guest is so much smaller, being several times in memory, and so many times less often, being slow. */
const guestShare = { size: 4, rounds: 3 }
const GUEST = { vfs: 1, memory: 3072, timeoutSeconds: 3600 }

function choose() {
  const { values } = readArguments(USAGE, {
    options: {
      row: { type: 'string', multiple: true, default: rowNames },
      rounds: { type: 'string', default: String(WHOLE.rounds) },
      size: { type: 'string', default: String(WHOLE.size) },
    },
  })
  const [rounds = 0, size = 0] = wholeNumbers(USAGE, { rounds: values.rounds, size: values.size })
  const unknown = values.row.filter(name => !rowNames.includes(name))
  if (unknown.length > 0 || rounds === 0 || size < guestShare.size) throw new StepError(USAGE, USAGE_ERROR)
  return { rows: values.row, rounds, size }
}

/** @typedef {ReturnType<typeof choose>} Choice */

async function compile() {
  for (const name of ['read', 'send', 'receive', 'write']) await compileYardstick(`bench/data-path/${name}.c`)
  const { compileFakeKernel } = await import('../dist-test/native/suite.js')
  return compileFakeKernel()
}

/**
 * @typedef {import('../bench/data-path/judge.mjs').JudgedRow} JudgedRow
 * @typedef {import('../bench/data-path/programs.mjs').Program} Program
 * @typedef {{ source: MemoryFile, target: MemoryFile, bytes: number }} Files
 */

/** @param {Choice} choice @param {string} fakeKernel */
async function measureHere(choice, fakeKernel) {
  const bytes = choice.size * mebibyte
  const [source, target] = [new MemoryFile().fillRandomly(bytes), new MemoryFile().fillRandomly(bytes)]
  const place = { yardsticks: YARDSTICKS, fakeKernel }
  return [
    ...(await compareAll(choice, place, { source, target, bytes })),
    ...(await measureGrowth(choice, place, { source, bytes })),
  ]
}

/** @param {Choice} choice @param {{ yardsticks: string, fakeKernel: string }} place @param {Files} files */
async function compareAll({ rows, rounds }, place, { source, target, bytes }) {
  const warmUp = new MemoryFile().fillRandomly(warmUpMiB * mebibyte)
  const paths = { source: source.path, target: target.path, warmUp: warmUp.path }
  const programs = programsIn({ ...place, ...paths, bytes })
  const results = []
  for (const subject of subjects.filter(({ row }) => rows.includes(row))) {
    const ways = [subject.ours, subject.yardstick].map(name => programs[name])
    for (const program of ways) await checkArrival(program, { source, target, bytes })
    const [ours, yardstick] = ways.map(program => countedBy(program, bytes))
    const run = async () => {
      const disturbance = new Disturbance(rounds)
      const series = await alternate(rounds, { yardstick, ours, again: yardstick }, 1, disturbance)
      return { ...series, disturbance }
    }
    results.push(told(await step(subject.name, () => settle(subject, run))))
  }
  return results
}

/** Of one run each, which reads a hole: what is looked at is not how fast it goes. @param {Choice} choice @param {{ yardsticks: string, fakeKernel: string }} place @param {Omit<Files, 'target'>} files */
async function measureGrowth({ rows }, place, { source, bytes }) {
  const [long, longBytes] = [new MemoryFile().leaveEmpty(longTimes * bytes), longTimes * bytes]
  const paths = { source: long.path, target: '/dev/null', warmUp: source.path }
  const programs = programsIn({ ...place, ...paths, bytes: longBytes })
  const results = []
  for (const growth of growths.filter(({ row }) => rows.includes(row))) {
    const { grownBytes = NaN } = await countedBy(programs[growth.ours], longBytes)()
    results.push(told(limit(growth, grownBytes / mebibyte)))
  }
  return results
}

/** @type {WeakSet<Program>} */
const checked = new WeakSet()

/** The right bytes arrive, in a run that is not timed. @param {Program} program @param {Files} files */
async function checkArrival(program, { source, target, bytes }) {
  if (program.arrival === 'calls' || checked.has(program)) return
  if (program.arrival === 'target') target.fill(bytes, piece => piece.fill(0))
  const { crc32 } = await program.run(true)
  const arrived = program.arrival === 'target' ? target.crc32(bytes) : crc32
  const sent = source.crc32(bytes, program.writesMemory ? Math.min(bytes, writtenMiB * mebibyte) : bytes)
  if (arrived !== sent) throw new StepError(`The CRC-32 of what arrived is ${arrived}, and not ${sent}`)
  checked.add(program)
}

/** A run of which all bytes have arrived. @param {Program} program @param {number} bytes */
function countedBy(program, bytes) {
  return async () => {
    const result = await program.run(false)
    if (program.arrival !== 'calls' && result.bytes !== bytes)
      throw new StepError(`${result.bytes} bytes have arrived, and not ${bytes}`)
    return result
  }
}

const guestRoundsOf = (/** @type {number} */ rounds) => Math.ceil(rounds / guestShare.rounds)

/** @param {Choice} choice @returns {Promise<JudgedRow[]>} */
async function measureInGuests({ rounds, size }) {
  const source = join(ROOT, 'bench/data-path')
  const program = await bundle({ entry: join(source, 'guest.mjs') }, 'bench_data_path.mjs')
  const saved = await bundle({ entry: join(source, 'saved.mjs') }, 'bench_saved.mjs')
  const bytes = (size / guestShare.size) * mebibyte
  const rows = []
  for (const name of KERNELS) {
    const kernel = await ensureKernel(name)
    const yardstick = await compileYardstick('bench/data-path/save.c', kernel)
    const env = { VFIO_MIGRATE_BENCH_SAVE: yardstick, VFIO_MIGRATE_BENCH_SAVED: saved }
    const subject = guestSubject(kernel.release ?? name)
    const command = [program, String(guestRoundsOf(rounds)), String(bytes), JSON.stringify(subject)]
    rows.push(told(await step(subject.name, () => measureInGuest(kernel, command, env, GUEST))))
  }
  return rows
}

/** @template {JudgedRow} Row @param {Row} row */
function told(row) {
  say(sentence(row))
  return row
}

/** What the numbers are measured on, asked before: measuring is a load itself. */
function machine() {
  const info = readFileSync('/proc/cpuinfo', 'utf8')
  const [load = 0] = loadavg()
  if (load > QUIET_LOAD)
    say(`Others work on this machine (load ${load.toFixed(1)}): the null ratios show what that does`)
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    isVirtual: /^flags.* hypervisor/m.test(info),
    linux: release(),
    node: process.version,
    compiler: spawnSync('cc', ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? '',
    load,
    ...emulation(),
  }
}

/** @param {Choice} choice */
const isWhole = ({ rows, rounds, size }) =>
  rowNames.every(name => rows.includes(name)) && rounds >= WHOLE.rounds && size === WHOLE.size

/** What is behind the fourth digit of a number says nothing. @param {string} _ @param {unknown} value */
function fourDigits(_, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value
}

/** The section is made of what is kept, so that it can be made again. @param {import('../bench/data-path/section.mjs').Results} results */
async function keep(results) {
  const text = JSON.stringify(results, fourDigits)
  await writeFormatted(RESULTS, text)
  await rewriteDocument(DOCUMENT, document => withDataPath(document, JSON.parse(text)))
}

await main(async () => {
  const choice = choose()
  const hasGuests = choice.rows.includes('vm')
  await setup(hasGuests ? guestPackages(KERNELS) : [])
  const conditions = machine()
  const rows = await measureHere(choice, await compile())
  if (hasGuests) rows.push(...(await measureInGuests(choice)))
  const { rounds } = choice
  const results = {
    rounds,
    guestRounds: guestRoundsOf(rounds),
    sizeMiB: choice.size,
    machine: conditions,
    rows,
  }
  if (isWhole(choice)) await keep(results)
  else console.log(JSON.stringify(results, fourDigits))
  return rows.every(({ met }) => met) ? 0 : 1
})
