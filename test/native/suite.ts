// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const sources = join(root, 'test/native/fake-kernel')
const library = join(root, 'build/native-test/libfake_vfio.so')

/** Code of ours alone between the sanitizers' interceptors and libc: see fake.h. */
const cFlags = [
  ...['-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-Wno-maybe-uninitialized'],
  ...['-fPIC', '-shared', '-fvisibility=hidden', '-fno-builtin', '-fno-tree-loop-distribute-patterns'],
  '-U_FORTIFY_SOURCE',
]

const filesIn = (directory: string, ...endings: string[]): string[] =>
  readdirSync(directory)
    .filter(name => endings.some(ending => name.endsWith(ending)))
    .sort()
    .map(name => join(directory, name))

const modified = (path: string): number => (existsSync(path) ? statSync(path).mtimeMs : 0)

/**
 * Builds the preloaded library where it is older than its sources; answers its path from the root of the repository,
 * where it is to be preloaded: ld.so would split the whole path at a space.
 */
export function compileFakeKernel(): string {
  const inputs = filesIn(sources, '.c', '.h')
  // This file as well: it has the flags.
  const decisive = [...inputs, fileURLToPath(import.meta.url)]
  if (decisive.every(path => modified(path) < modified(library))) return relative(root, library)
  mkdirSync(dirname(library), { recursive: true })
  // Renamed into place: another run may have the old one mapped.
  const fresh = `${library}.${process.pid}`
  const files = inputs.filter(path => path.endsWith('.c'))
  const cc = spawnSync('cc', [...cFlags, '-o', fresh, ...files, '-ldl'], { encoding: 'utf8' })
  if (cc.status !== 0) throw new Error(`cc of the fake kernel failed\n${cc.stderr}${cc.error ?? ''}`)
  renameSync(fresh, library)
  return relative(root, library)
}

/** One test of the preloaded suite. */
export interface Result {
  readonly title: string
  readonly milliseconds: number
  /** What it failed with. */
  readonly error?: string
}

export interface Run {
  readonly results: readonly Result[]
  readonly skipped: number
  /** Exit status or signal of the mocha process, or in words that it ended early; 0 when all held. */
  readonly status: number | string
  readonly stderr: string
}

export interface RunOptions {
  /** Libraries before the fake kernel: a sanitizer's runtime. */
  readonly preload?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A command that runs the command: `['setarch', '-R']`. */
  readonly prefix?: readonly string[]
  /** How much slower than plain the addon is: stretches time limits. */
  readonly slowness?: number
}

export type PreloadedProcess = ChildProcessByStdio<null, Readable, Readable>

interface Ended {
  readonly fullTitle: string
  readonly duration: number
  readonly err?: string
  readonly stack?: string
}

type Event =
  | readonly ['start', { total: number }]
  | readonly ['pass' | 'fail', Ended]
  | readonly ['end', { pending: number }]

const parse = (line: string): Event | undefined =>
  /^\["(start|pass|fail|end)",/.test(line) ? (JSON.parse(line) as Event) : undefined

const result = (kind: 'pass' | 'fail', { fullTitle, duration, err, stack }: Ended): Result => ({
  title: fullTitle,
  milliseconds: duration,
  ...(kind === 'fail' && { error: stack ?? err ?? 'failed' }),
})

/** What Mocha's json-stream tells. */
class Tally {
  readonly results: Result[] = []
  total = 0
  skipped: number | undefined

  take([kind, told]: Event): void {
    if (kind === 'start') this.total = told.total
    else if (kind === 'end') this.skipped = told.pending
    else this.results.push(result(kind, told))
  }

  /** A test that calls process.exit(0) ends the run as if all were well. */
  ended(status: number | string): number | string {
    const counted = this.results.length + (this.skipped ?? 0)
    const isWhole = this.skipped !== undefined && counted > 0 && counted === this.total
    return status === 0 && !isWhole ? `0, but with ${counted} tests of ${this.total}` : status
  }
}

/** Node with the fake kernel under it, and with its garbage collector at hand. */
export function spawnPreloaded(args: readonly string[], options: RunOptions = {}): PreloadedProcess {
  const { preload = [], env = {}, prefix = [], slowness = 1 } = options
  const [program = '', ...rest] = [...prefix, process.execPath, '--expose-gc', ...args]
  return spawn(program, rest, {
    cwd: root,
    env: {
      ...process.env,
      VFIO_TEST_SLOWNESS: String(slowness),
      ...env,
      LD_PRELOAD: [...preload, compileFakeKernel()].join(':'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 600_000 * slowness,
    killSignal: 'SIGKILL',
  })
}

/** Exit status, or the signal that ended it. */
export async function statusOf(child: PreloadedProcess): Promise<number | string> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code ?? 0))
  })
}

/**
 * Runs the tests that need the fake kernel under them, in a process of their own with the library preloaded.
 * A crash is a result too: the tests before it are there, and `status` names the signal.
 */
export async function runPreloaded(options: RunOptions = {}): Promise<Run> {
  const { slowness = 1 } = options
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
  const files = filesIn(join(root, 'dist-test/native/preloaded'), '.preloaded.js')
  const mochaOptions = ['--no-config', '--reporter', 'json-stream', '--timeout', String(20_000 * slowness)]
  const args = [
    ...['--import', pathToFileURL(join(root, 'scripts/mocha-rejections.mjs')).href],
    mocha,
    ...mochaOptions,
    ...files,
  ]
  const child = spawnPreloaded(args, options)
  const tally = new Tally()
  let stderr = ''
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  createInterface(child.stdout).on('line', line => {
    const event = parse(line)
    if (event) tally.take(event)
  })
  const status = await statusOf(child)
  return { results: tally.results, skipped: tally.skipped ?? 0, status: tally.ended(status), stderr }
}
