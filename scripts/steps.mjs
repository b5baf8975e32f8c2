// SPDX-License-Identifier: Apache-2.0
// What every script does with a step: say it, time it, and explain it when it fails.
import { spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** A failure with a remedy: `main` prints the message alone, without a stack, and exits with `status`. */
export class StepError extends Error {
  /** @param {string} message @param {number} [status] */
  constructor(message, status = 1) {
    super(message)
    this.status = status
  }
}

/** Exit status for "something is missing on this machine; the message says what to install". */
export const MISSING = 3

/** Progress goes to stderr: stdout belongs to the program that the script runs. @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/** @param {number} since a `performance.now()` */
export const seconds = since => `${((performance.now() - since) / 1000).toFixed(1)} s`

/**
 * Announces the step, runs it, and says how long it took.
 * @template T
 * @param {string} title
 * @param {() => T | Promise<T>} body
 * @returns {Promise<T>}
 */
export async function step(title, body) {
  const since = performance.now()
  say(`• ${title}`)
  const result = await body()
  say(`  ${title}: ${seconds(since)}`)
  return result
}

/**
 * Runs a command to its end. Without a log its output is ours; with one it goes to that file,
 * whose tail is in the error when the command fails.
 * @param {string[]} command
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, log?: string, progress?: (lines: number, last: string) => string }} [options]
 * @returns {Promise<void>}
 */
export async function run(command, { cwd, env = process.env, log, progress } = {}) {
  const [file = '', ...args] = command
  // The parent's death ends the child: a killed script leaves no build running behind its back.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', file, ...args], {
    cwd,
    env,
    stdio: ['ignore', log ? 'pipe' : process.stderr, log ? 'pipe' : 'inherit'],
  })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
  const stopLogging = log ? logOutput(child, log, progress) : undefined
  const status = await ended
  await stopLogging?.()
  if (status !== 0) throw new StepError(failure(command, status, log))
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} log
 * @param {((lines: number, last: string) => string) | undefined} progress
 */
function logOutput(child, log, progress) {
  const file = createWriteStream(log, { flags: 'a' })
  /** @type {NodeJS.ErrnoException | undefined} */
  let trouble
  file.on('error', error => {
    trouble = error
    child.kill()
  })
  let lines = 0
  let last = ''
  const take = (/** @type {Buffer} */ chunk) => {
    file.write(chunk)
    const words = chunk.toString().trimEnd().split('\n')
    lines += words.length
    last = words.at(-1) ?? last
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  const timer = progress && setInterval(() => say(`  … ${progress(lines, last.trim())}`), 20_000)
  return async () => {
    clearInterval(timer)
    await new Promise(resolve => file.end(resolve))
    if (trouble) throw new StepError(`cannot write ${log} (${trouble.code})`, MISSING)
  }
}

/** @param {string[]} command @param {unknown} status @param {string | undefined} log */
function failure(command, status, log) {
  const what = `${basename(command[0] ?? '')} ${command.slice(1).join(' ')} ended with ${status}`
  return log ? `${what}\n${tail(log, 25)}\nThe whole output: ${log}` : what
}

/** @param {string} path @param {number} lines */
export function tail(path, lines) {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
}

/**
 * The frame of every script: runs `body`, turns a StepError into its message and status.
 * @param {() => Promise<number | void>} body
 */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    say(error.message)
    process.exitCode = error.status
  }
}
