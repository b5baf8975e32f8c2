// SPDX-License-Identifier: Apache-2.0
import type { Writable } from 'node:stream'
import { isTerminal, type Context } from './context.ts'
import { UsageError } from './refusals.ts'
import { refuseOtherThanFile, WholeFile } from './whole_file.ts'

/** Where a saved state goes. Nothing that is cut short is ever found under the name that was given. */
export interface StateSink {
  /** What all of it can be written to instead, past JavaScript; undefined where that is no fd. */
  readonly fd: number | undefined
  write(chunk: Uint8Array): Promise<void>
  /** Does what writes to the fd, and tells of a failure there as `write` does. */
  naming<T>(work: Promise<T>): Promise<T>
  /** Everything was written: makes it last, and gives it its name. */
  commit(): Promise<void>
  /** Leaves nothing behind, unless it was committed. */
  discard(): Promise<void>
}

/** Opens the sink before any device is touched. `-` is stdout. */
export async function openSink(output: string, context: Context): Promise<StateSink> {
  if (output !== '-') {
    await refuseOtherThanFile(output, path => `for a pipe or a device write -o - > ${path}`)
    // It holds what the device's memory held: for its owner only.
    return await WholeFile.create(output, 0o600)
  }
  const { stdout } = context.io
  if (isTerminal(stdout))
    throw new UsageError("a device's state is no text: send stdout into a file or a pipe, or name a file")
  return new StreamSink(stdout)
}

class StreamSink implements StateSink {
  readonly #stream: Writable
  #isWriting = false

  constructor(stream: Writable) {
    this.#stream = stream
  }

  get fd(): number | undefined {
    return 'fd' in this.#stream && typeof this.#stream.fd === 'number' ? this.#stream.fd : undefined
  }

  async naming<T>(work: Promise<T>): Promise<T> {
    return await work
  }

  async write(chunk: Uint8Array): Promise<void> {
    // The stream may keep it for longer than a chunk lives.
    const own = Buffer.from(chunk)
    this.#isWriting = true
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(own, error => (error ? reject(error) : resolve()))
    })
    this.#isWriting = false
  }

  async commit(): Promise<void> {}

  /** Its reader may never take what is being written. */
  discard(): Promise<void> {
    if (this.#isWriting) this.#stream.destroy()
    return Promise.resolve()
  }
}
