// SPDX-License-Identifier: Apache-2.0
import { PassThrough, type Readable, Writable } from 'node:stream'
import { Context, type Io } from '#lib/cli/context.js'

/** Keeps what is written to it. */
export class Captured extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.text += chunk.toString()
    callback()
  }
}

/** The same stream, with a person in front of it. */
export function terminal<S extends Readable | Writable>(stream: S): S & { isTTY: true } {
  return Object.assign(stream, { isTTY: true as const })
}

export interface CapturedIo extends Io {
  readonly stdout: Captured
  readonly stderr: Captured
}

export function capturedIo(more: Partial<Io> = {}): CapturedIo {
  const stdin = new PassThrough()
  stdin.end()
  return { stdin, ...more, stdout: new Captured(), stderr: new Captured() }
}

export function contextFor(io: Io, { json = false } = {}): Context {
  return new Context(io, { command: 'save', json, execArguments: [] })
}
