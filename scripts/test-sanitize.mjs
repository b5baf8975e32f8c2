// SPDX-License-Identifier: Apache-2.0
// npm run test:sanitize: the suite over the fake kernel against an addon under AddressSanitizer with LeakSanitizer,
// UndefinedBehaviorSanitizer and ThreadSanitizer. Arguments choose among asan, ubsan, tsan.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildDirectory, buildVariant, loadSuite, report } from './native-variant.mjs'
import { record } from './results.mjs'
import { ROOT, setup } from './setup.mjs'
import { MISSING, StepError, main, say, step } from './steps.mjs'

/** Status of a process that had something to report: one that no test expects. */
const EXIT = 'exitcode=77'

/**
 * @typedef {object} Sanitizer
 * @property {'asan' | 'ubsan' | 'tsan'} variant
 * @property {string} runtime the library that goes before all others
 * @property {string[]} flags for the canary; the addon has its own in CMakeLists.txt
 * @property {[variable: string, options: string]} options
 * @property {[fault: string, words: RegExp][]} canaries faults that it must report, and in which words
 * @property {number} slowness
 */

/** @type {Sanitizer[]} */
const SANITIZERS = [
  {
    variant: 'asan',
    runtime: 'libasan.so',
    flags: ['-fsanitize=address', '-fno-omit-frame-pointer'],
    options: ['ASAN_OPTIONS', `detect_leaks=1:detect_stack_use_after_return=1:${EXIT}`],
    canaries: [
      ['useAfterFree', /AddressSanitizer: heap-use-after-free/],
      ['leak', /LeakSanitizer: detected memory leaks[^]*canary\.c/],
    ],
    slowness: 3,
  },
  {
    variant: 'ubsan',
    runtime: 'libubsan.so',
    flags: ['-fsanitize=undefined', '-fno-sanitize-recover=all'],
    options: ['UBSAN_OPTIONS', `print_stacktrace=1:${EXIT}`],
    canaries: [['overflow', /signed integer overflow/]],
    slowness: 2,
  },
  {
    variant: 'tsan',
    runtime: 'libtsan.so',
    flags: ['-fsanitize=thread'],
    // Not EXIT: Node is not instrumented, so the atomics of its own workers look like races; see isOurs.
    options: ['TSAN_OPTIONS', 'second_deadlock_stack=1:exitcode=0'],
    canaries: [
      ['race', /ThreadSanitizer: data race[^]*canary\.c/],
      ['raceAcrossCalls', /ThreadSanitizer: data race[^]*canary\.c/],
    ],
    slowness: 10,
  },
]

/**
 * ThreadSanitizer's reports come several to a file, and some are about Node alone. Ours has a frame of the addon in one
 * of the two accesses; where they are to an fd, in both, because libuv closes by raw system calls: the number that it
 * had looks as if it were still in use.
 * @param {string} report
 */
function isOurs(report) {
  const mentions = (/** @type {string} */ text) => /vfio_migrate\.node|canary\.node/.test(text)
  const accesses = report
    .split('\n\n')
    .filter(part => /^ +(previous )?(atomic )?(read|write) of size/im.test(part))
  if (accesses.length === 0) return mentions(report)
  return report.includes('Location is file descriptor') ? accesses.every(mentions) : accesses.some(mentions)
}

/** @param {string} text @returns {string[]} */
function split(text) {
  const reports = text.split(/^={18}$/m).filter(part => part.includes('WARNING: ThreadSanitizer'))
  return reports.length > 0 ? reports : [text]
}

/** What gcc calls the library; a bare name is one that it has not. @param {string} name */
function runtimePath(name) {
  const path = spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout?.trim() ?? ''
  if (path.includes('/')) return path
  throw new StepError(`gcc has no ${name}. As root:\n  apt-get install gcc libc6-dev`, MISSING)
}

/** ThreadSanitizer's shadow has no room for a heap that is placed with more than 28 random bits. */
function withoutRandomization() {
  const bits = Number(readFileSync('/proc/sys/vm/mmap_rnd_bits', 'utf8'))
  return bits > 28 ? ['setarch', '-R'] : []
}

/** Reports of every process, each in a file of its own. */
class Reports {
  /** @param {Sanitizer} sanitizer */
  constructor({ variant, options: [variable, options] }) {
    this.directory = join(buildDirectory(variant), 'reports')
    this.env = {
      [variable]: `${options}:log_path=${join(this.directory, 'report')}`,
      LSAN_OPTIONS: `print_suppressions=0:suppressions=${join(ROOT, 'test/native/lsan.supp')}`,
    }
    this.clear()
  }

  clear() {
    rmSync(this.directory, { recursive: true, force: true })
    mkdirSync(this.directory, { recursive: true })
  }

  /** @returns {string[]} */
  take() {
    const texts = readdirSync(this.directory).map(name => readFileSync(join(this.directory, name), 'utf8'))
    this.clear()
    return texts.flatMap(split)
  }
}

/** @param {Sanitizer} sanitizer @returns {string} the path of an addon with planted faults */
function buildCanary({ variant, flags }) {
  const path = join(buildDirectory(variant), 'canary.node')
  const source = join(ROOT, 'test/native/canary/canary.c')
  const headers = join(ROOT, 'node_modules/node-api-headers/include')
  const cc = spawnSync(
    'gcc',
    ['-shared', '-fPIC', '-g', '-O1', ...flags, `-I${headers}`, '-o', path, source],
    { encoding: 'utf8' },
  )
  if (cc.status !== 0) throw new StepError(`the canary does not compile\n${cc.stderr}`)
  return path
}

/**
 * @param {Sanitizer} sanitizer
 * @param {{ command: string[], env: Record<string, string>, reports: Reports }} surroundings those of the suite
 */
function proveByCanaries(sanitizer, { command, env, reports }) {
  const path = buildCanary(sanitizer)
  for (const [fault, words] of sanitizer.canaries) {
    const [program = '', ...args] = [
      ...command,
      process.execPath,
      '-e',
      `require(${JSON.stringify(path)}).${fault}()`,
    ]
    spawnSync(program, args, { env: { ...process.env, ...env }, timeout: 120_000 })
    const texts = reports.take()
    if (!texts.some(text => words.test(text))) {
      throw new StepError(
        `${sanitizer.variant} did not report a planted ${fault}: its silence says nothing\n${texts.join('\n')}`,
      )
    }
  }
  return sanitizer.canaries.length
}

/** @param {Sanitizer} sanitizer */
async function runUnder(sanitizer) {
  const { variant, runtime, canaries, slowness } = sanitizer
  const addon = await buildVariant(variant)
  const { compileFakeKernel, runPreloaded } = await loadSuite()
  const preload = [runtimePath(runtime)]
  const prefix = variant === 'tsan' ? withoutRandomization() : []
  const reports = new Reports(sanitizer)
  const env = { ...reports.env, LD_PRELOAD: [...preload, compileFakeKernel()].join(':') }
  await step(`${variant}: ${canaries.length} planted`, () =>
    proveByCanaries(sanitizer, { command: prefix, env, reports }),
  )
  const run = await step(`${variant}: the suite over the fake kernel`, () =>
    runPreloaded({ preload, prefix, slowness, env: { ...reports.env, VFIO_MIGRATE_ADDON: addon } }),
  )
  const counts = report(run)
  const found = reports.take()
  const ours = variant === 'tsan' ? found.filter(isOurs) : found
  for (const text of ours) say(text)
  if (found.length > ours.length) say(`  ${found.length - ours.length} reports about Node alone, or fd numbers that libuv had before`)
  return {
    passed: counts.passed + canaries.length,
    failed: counts.failed + ours.length,
    skipped: counts.skipped,
  }
}

await main(async () => {
  await setup()
  const chosen = process.argv.slice(2)
  let failed = 0
  for (const sanitizer of SANITIZERS.filter(
    ({ variant }) => chosen.length === 0 || chosen.includes(variant),
  )) {
    const counts = await runUnder(sanitizer)
    record({ suite: `sanitize ${sanitizer.variant}`, ...counts })
    console.log(`${sanitizer.variant}: ${counts.passed} passed, ${counts.failed} failed`)
    failed += counts.failed
  }
  return failed > 0 ? 1 : 0
})
