// SPDX-License-Identifier: Apache-2.0
// npm run test:sanitize: the suite over the fake kernel, and a stress, against an addon under AddressSanitizer with
// LeakSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer. Arguments choose among asan, ubsan, tsan.
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { USAGE_ERROR, readArguments, wholeNumbers } from './arguments.mjs'
import {
  buildDirectory,
  buildVariant,
  loadStress,
  loadSuite,
  report,
  variantPackages,
  withVariant,
} from './native-variant.mjs'
import { record } from './results.mjs'
import { ROOT, setup } from './setup.mjs'
import { MISSING, StepError, main, say, step } from './steps.mjs'

/** Status of a process that had something to report: one that no test expects. */
const EXIT = 'exitcode=77'

/**
 * @typedef {object} Sanitizer
 * @property {'asan' | 'ubsan' | 'tsan'} variant
 * @property {string} runtime the library that goes before all others
 * @property {RegExp} symbol what its compiler puts into every object
 * @property {[variable: string, options: string]} options
 * @property {[fault: string, words: RegExp, program?: string][]} canaries faults that it must report, in which words, and
 *   how they are made where that is more than one call of the `canary`
 * @property {(report: string) => boolean} isOurs
 * @property {number} slowness
 */

/** Node uses an fd of its own while a thread of the addon's is about to close it. */
const CLOSE_OF_NODES = `
  const fs = require('node:fs')
  const fd = fs.openSync('/dev/null')
  canary.beginClose(fd)
  fs.readSync(fd, Buffer.alloc(1))
  canary.endClose()`

/** @type {Sanitizer[]} */
const SANITIZERS = [
  {
    variant: 'asan',
    runtime: 'libasan.so',
    symbol: /__asan_init/,
    options: ['ASAN_OPTIONS', `detect_leaks=1:detect_stack_use_after_return=1:${EXIT}`],
    canaries: [
      ['useAfterFree', /AddressSanitizer: heap-use-after-free/],
      ['leak', /LeakSanitizer: detected memory leaks[^]*canary\.cc/],
    ],
    isOurs: () => true,
    slowness: 3,
  },
  {
    variant: 'ubsan',
    runtime: 'libubsan.so',
    symbol: /__ubsan_handle_/,
    options: ['UBSAN_OPTIONS', `print_stacktrace=1:${EXIT}`],
    canaries: [['overflow', /signed integer overflow/]],
    isOurs: () => true,
    slowness: 2,
  },
  {
    variant: 'tsan',
    runtime: 'libtsan.so',
    symbol: /__tsan_func_entry/,
    // Not EXIT: Node is not instrumented, so the atomics of its own workers look like races.
    options: ['TSAN_OPTIONS', 'second_deadlock_stack=1:exitcode=0'],
    canaries: [
      ['race', /ThreadSanitizer: data race[^]*canary\.cc/],
      ['raceAcrossCalls', /ThreadSanitizer: data race[^]*canary\.cc/],
      [
        'closeOfNodes',
        /ThreadSanitizer: data race[^]*canary\.cc[^]*Location is file descriptor/,
        CLOSE_OF_NODES,
      ],
    ],
    isOurs: isMadeByUs,
    slowness: 10,
  },
]

/**
 * Some of ThreadSanitizer's reports are about Node alone. In one of ours the addon made one of the two accesses: itself,
 * or by way of a library. That it is further up the stack says nothing: V8 may collect garbage in a call of the addon's.
 * @param {string} report
 */
function isMadeByUs(report) {
  const ours = /(vfio_migrate|canary)\.node/
  const makers = report
    .split('\n\n')
    .filter(part => /^ +(previous )?(atomic )?(read|write) of size/im.test(part))
    .map(makerOf)
  // A report of another kind, or one that has lost a stack: better one too many.
  if (makers.length === 0 || makers.includes(undefined)) return ours.test(report)
  return makers.some(maker => ours.test(maker ?? ''))
}

/** The module of the first frame that is in no library. @param {string} stack */
function makerOf(stack) {
  const modules = [...stack.matchAll(/^ +#\d+ .*?\((\S+)\+0x[\da-f]+\)/gm)].map(([, module = '']) => module)
  return modules.find(module => !/^lib[\w+-]+\.so/.test(module))
}

/** ThreadSanitizer's reports come several to a file. @param {string} text @returns {string[]} */
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

/** From where everything under a sanitizer is started: its options are split at the spaces of a whole path. @param {string} path */
const fromRoot = path => relative(ROOT, path)

/** Reports of every process, each in a file of its own. */
class Reports {
  /** @param {Sanitizer} sanitizer */
  constructor({ variant, options: [variable, options] }) {
    this.directory = join(buildDirectory(variant), 'reports')
    this.env = {
      [variable]: `${options}:log_path=${fromRoot(join(this.directory, 'report'))}`,
      LSAN_OPTIONS: 'print_suppressions=0:suppressions=test/native/lsan.supp',
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

/** @typedef {{ directory: string, command: string, file: string }} Compilation */

/** How cmake compiled the addon. @param {Sanitizer} sanitizer @returns {Compilation[]} */
function compilations({ variant }) {
  return JSON.parse(readFileSync(join(buildDirectory(variant), 'compile_commands.json'), 'utf8'))
}

/** The end of each command. */
const OUTPUT_AND_SOURCE = / -o (\S+) -c .+$/

/** An addon whose flags were lost has nothing to report. @param {Sanitizer} sanitizer @param {string} addon */
function requireInstrumentation(sanitizer, addon) {
  const objects = compilations(sanitizer).map(({ directory, command }) =>
    join(directory, OUTPUT_AND_SOURCE.exec(command)?.[1] ?? ''),
  )
  for (const [file, ...options] of [[addon, '-D'], ...objects.map(object => [object])]) {
    const nm = spawnSync('nm', ['-u', ...options, file ?? ''], { encoding: 'utf8' })
    if (sanitizer.symbol.test(nm.stdout)) continue
    throw new StepError(`${file} has no ${sanitizer.symbol.source}: it is not instrumented\n${nm.stderr}`)
  }
}

/**
 * With the addon's own command: flags that it lost are lost here, too.
 * @param {Sanitizer} sanitizer
 * @returns {string} the path of an addon with planted faults
 */
function buildCanary(sanitizer) {
  const directory = buildDirectory(sanitizer.variant)
  const source = relative(directory, join(ROOT, 'test/native/canary/canary.cc'))
  const model = compilations(sanitizer).find(({ file }) => file.endsWith('native/binding/addon.cc'))
  const compile = model?.command.replace(OUTPUT_AND_SOURCE, ` -o canary.o -c ${source}`)
  const cc = spawnSync(`${compile} && c++ -shared -o canary.node canary.o`, {
    cwd: directory,
    encoding: 'utf8',
    shell: true,
  })
  if (cc.status !== 0) throw new StepError(`the canary does not compile\n${cc.stderr}`)
  return join(directory, 'canary.node')
}

/**
 * @param {Sanitizer} sanitizer
 * @param {{ command: string[], env: Record<string, string>, reports: Reports }} surroundings those of the suite
 */
function proveByCanaries(sanitizer, { command, env, reports }) {
  const path = buildCanary(sanitizer)
  for (const [fault, words, body = `canary.${fault}()`] of sanitizer.canaries) {
    const script = `const canary = require(${JSON.stringify(path)})\n${body}`
    const [program = '', ...args] = [...command, process.execPath, '-e', script]
    spawnSync(program, args, { cwd: ROOT, env: { ...process.env, ...env }, timeout: 120_000 })
    const texts = reports.take()
    if (!texts.some(text => words.test(text) && sanitizer.isOurs(text))) {
      throw new StepError(
        `${sanitizer.variant} did not report a planted ${fault}: its silence says nothing\n${texts.join('\n')}`,
      )
    }
  }
  return sanitizer.canaries.length
}

/**
 * @param {Sanitizer} sanitizer
 * @param {{ seed: number, seconds: number }} stress
 */
async function runUnder(sanitizer, { seed, seconds }) {
  const { variant, runtime, canaries, slowness } = sanitizer
  const addon = await buildVariant(variant)
  requireInstrumentation(sanitizer, addon)
  const { compileFakeKernel, runPreloaded } = await loadSuite()
  const preload = [runtimePath(runtime)]
  const prefix = variant === 'tsan' ? withoutRandomization() : []
  const reports = new Reports(sanitizer)
  const env = { ...reports.env, LD_PRELOAD: [...preload, compileFakeKernel()].join(':') }
  await step(`${variant}: ${canaries.length} planted`, () =>
    proveByCanaries(sanitizer, { command: prefix, env, reports }),
  )
  const options = { preload, prefix, slowness, env: { ...reports.env, VFIO_MIGRATE_ADDON: addon } }
  const run = await step(`${variant}: the suite over the fake kernel`, () => runPreloaded(options))
  const counts = report(run)
  const { runStress } = await loadStress()
  const stressed = await step(`${variant}: stress for ${seconds} s, seed ${seed}`, () =>
    runStress({ ...options, seed, seconds }),
  )
  say(`  ${stressed.output.trim()}`)
  const found = reports.take()
  const ours = found.filter(sanitizer.isOurs)
  for (const text of ours) say(text)
  if (found.length > ours.length) say(`  ${found.length - ours.length} reports about Node alone`)
  return {
    passed: counts.passed + canaries.length + (stressed.status === 0 ? 1 : 0),
    failed: counts.failed + ours.length + (stressed.status === 0 ? 0 : 1),
    skipped: counts.skipped,
  }
}

/** What each spends on the stress. */
const STRESS_SECONDS = 60

function choose() {
  const variants = SANITIZERS.map(({ variant }) => variant)
  const usage = `Usage: npm run test:sanitize -- [${variants.join(' | ')}]... [--seed N] [--seconds N]`
  const { positionals, values } = readArguments(usage, {
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: String(randomInt(1_000_000)) },
      seconds: { type: 'string', default: String(STRESS_SECONDS) },
    },
  })
  const [seed = 0, seconds = 0] = wholeNumbers(usage, { seed: values.seed, seconds: values.seconds })
  const strange = positionals.find(name => !variants.some(variant => variant === name))
  if (strange !== undefined) throw new StepError(`There is no ${strange}\n${usage}`, USAGE_ERROR)
  const chosen = SANITIZERS.filter(({ variant }) => positionals.length === 0 || positionals.includes(variant))
  return { chosen, stress: { seed, seconds } }
}

await main(async () => {
  const { chosen, stress } = choose()
  await setup(variantPackages())
  let failed = 0
  for (const sanitizer of chosen) {
    const counts = await withVariant(sanitizer.variant, () => runUnder(sanitizer, stress))
    record({ suite: `sanitize ${sanitizer.variant}`, ...counts })
    console.log(`${sanitizer.variant}: ${counts.passed} passed, ${counts.failed} failed`)
    failed += counts.failed
  }
  return failed > 0 ? 1 : 0
})
