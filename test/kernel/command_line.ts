// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import * as v from 'valibot'
import { run } from '#lib/cli/run.js'
import { failure, type ErrorOutput } from '#lib/cli/schemas/failure.js'

/** What one command did. */
export interface Ran {
  readonly exit: number
  readonly stdout: Buffer
  readonly stderr: string
}

class Kept extends Writable {
  readonly chunks: Buffer[] = []

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.chunks.push(Buffer.from(chunk))
    callback()
  }
}

/** Runs a command line in this process: starting Node takes seconds in the guest. */
export async function vfioMigrate(
  words: readonly string[],
  input: Uint8Array = new Uint8Array(),
): Promise<Ran> {
  const io = { stdout: new Kept(), stderr: new Kept(), stdin: new PassThrough() }
  io.stdin.end(input)
  const exit = await run(['node', 'vfio-migrate', ...words], io)
  return { exit, stdout: Buffer.concat(io.stdout.chunks), stderr: Buffer.concat(io.stderr.chunks).toString() }
}

/** A command that succeeds: its JSON, which is as its schema says. */
export async function jsonOf<T>(schema: v.GenericSchema<T>, ...words: string[]): Promise<T> {
  const { exit, stdout, stderr } = await vfioMigrate([...words, '--json'])
  assert.equal(exit, 0, stderr)
  return v.parse(schema, JSON.parse(stdout.toString()))
}

/** A command that fails with this exit code: its error in JSON, which is as its schema says. */
export async function failureOf(exit: number, ...words: string[]): Promise<ErrorOutput> {
  const ran = await vfioMigrate([...words, '--json'])
  assert.equal(ran.exit, exit, ran.stderr)
  const { command, error } = v.parse(failure, JSON.parse(ran.stdout.toString()))
  assert.equal(command, words[0])
  assert.ok(ran.stderr.includes(error.message), ran.stderr)
  return error
}
