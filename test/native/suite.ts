// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

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

/** Builds the preloaded library where it is older than its sources; answers its path. */
export function compileFakeKernel(): string {
  const inputs = filesIn(sources, '.c', '.h')
  if (inputs.every(path => modified(path) < modified(library))) return library
  mkdirSync(dirname(library), { recursive: true })
  // Renamed into place: another run may have the old one mapped.
  const fresh = `${library}.${process.pid}`
  const files = inputs.filter(path => path.endsWith('.c'))
  const cc = spawnSync('cc', [...cFlags, '-o', fresh, ...files, '-ldl'], { encoding: 'utf8' })
  if (cc.status !== 0) throw new Error(`cc of the fake kernel failed\n${cc.stderr}${cc.error ?? ''}`)
  renameSync(fresh, library)
  return library
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
  /** Exit status or signal of the mocha process; 0 when all held. */
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

type Event = readonly ['pass' | 'fail', { fullTitle: string; duration: number; err?: string; stack?: string }]

function parse(line: string): Result | undefined {
  if (!/^\["(pass|fail)"/.test(line)) return undefined
  const [kind, { fullTitle, duration, err, stack }] = JSON.parse(line) as Event
  return {
    title: fullTitle,
    milliseconds: duration,
    ...(kind === 'fail' && { error: stack ?? err ?? 'failed' }),
  }
}

/**
 * Runs the tests that need the fake kernel under them, in a process of their own with the library preloaded.
 * A crash is a result too: the tests before it are there, and `status` names the signal.
 */
export async function runPreloaded(options: RunOptions = {}): Promise<Run> {
  const { preload = [], env = {}, prefix = [], slowness = 1 } = options
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
  const files = filesIn(join(root, 'dist-test/native/preloaded'), '.preloaded.js')
  const mochaOptions = ['--no-config', '--reporter', 'json-stream', '--timeout', String(20_000 * slowness)]
  const [program = '', ...args] = [
    ...prefix,
    process.execPath,
    '--expose-gc',
    mocha,
    ...mochaOptions,
    ...files,
  ]
  const child = spawn(program, args, {
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
  const results: Result[] = []
  let stderr = ''
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  createInterface(child.stdout).on('line', line => {
    const result = parse(line)
    if (result) results.push(result)
  })
  const status = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code ?? 0))
  })
  return { results, status, stderr }
}
