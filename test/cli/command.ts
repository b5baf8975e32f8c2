// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import assert from 'node:assert/strict'
import * as v from 'valibot'
import { run } from '#lib/cli/run.js'
import { failure } from '#lib/cli/schemas/failure.js'
import { Captured } from '../unit/cli/streams.js'

export const main: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Ending {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built command with its outputs piped. */
export async function vfioMigrate(
  words: readonly string[],
  { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ending> {
  const child = spawn(process.execPath, [main, ...words], { env: { ...process.env, ...env } })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  // It may have ended before it read.
  child.stdin.on('error', () => undefined).end(input)
  const [exit] = (await once(child, 'close')) as [number | null]
  return { exit, ...output }
}

/** Runs a command in this process: starting Node many times takes the longest of all tests. */
export async function inProcess(words: readonly string[]): Promise<Ending> {
  const stdin = new PassThrough()
  const io = { stdout: new Captured(), stderr: new Captured(), stdin }
  stdin.end()
  const exit = await run(['node', 'vfio-migrate', ...words], io)
  return { exit, stdout: io.stdout.text, stderr: io.stderr.text }
}

/** Runs a command that is to succeed; its JSON, which is as its schema says. */
export async function jsonOf<T>(words: readonly string[], schema: v.GenericSchema<T>): Promise<T> {
  const { exit, stdout, stderr } = await inProcess([...words, '--json'])
  assert.equal(exit, 0, stderr)
  return v.parse(schema, JSON.parse(stdout))
}

/** Runs a command that is to fail, without and with --json: its code both times, and its error, as its schema says. */
export async function failureOf(
  words: readonly string[],
  exit: number,
): Promise<{ code: string; message: string; stderr: string }> {
  const plain = await vfioMigrate(words)
  assert.equal(plain.exit, exit, plain.stderr)
  assert.equal(plain.stdout, '')
  assert.match(plain.stderr, /^vfio-migrate: /)
  const at = words.indexOf('--exec')
  const json = await inProcess(at < 0 ? [...words, '--json'] : words.toSpliced(at, 0, '--json'))
  assert.equal(json.exit, exit)
  const { command, error } = v.parse(failure, JSON.parse(json.stdout))
  assert.equal(command, words[0])
  assert.ok(json.stderr.includes(error.message))
  return { ...error, stderr: plain.stderr }
}
