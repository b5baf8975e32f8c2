// SPDX-License-Identifier: Apache-2.0
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { naming } from './file_error.ts'
import { isTerminal, type Context } from './context.ts'
import { UsageError } from './refusals.ts'

/** Where a saved state goes. Nothing that is cut short is ever found under the name that was given. */
export interface StateSink {
  write(chunk: Uint8Array): Promise<void>
  /** Everything was written: makes it last, and gives it its name. */
  commit(): Promise<void>
  /** Leaves nothing behind, unless it was committed. */
  discard(): Promise<void>
}

/** Opens the sink before any device is touched. `-` is stdout. */
export async function openSink(output: string, context: Context): Promise<StateSink> {
  if (output !== '-') return await TemporaryFile.create(output)
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

/** A file in the directory of the one that was named, which it becomes at the end. */
class TemporaryFile implements StateSink {
  readonly #named: string
  readonly #path: string
  readonly #temporary: string
  readonly #file: FileHandle
  #committed = false

  private constructor(named: string, path: string, temporary: string, file: FileHandle) {
    this.#named = named
    this.#path = path
    this.#temporary = temporary
    this.#file = file
  }

  static async create(named: string): Promise<TemporaryFile> {
    // A link is written through, as with any other program.
    const path = await realpath(named).catch(() => named)
    await refuseOtherThanFile(path)
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.partial`)
    // It holds what the device's memory held: for its owner only.
    const file = await naming(named, 'written', open(temporary, 'wx', 0o600))
    return new TemporaryFile(named, path, temporary, file)
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await naming(this.#named, 'written', this.#file.write(chunk, at))
      at += bytesWritten
    }
  }

  async commit(): Promise<void> {
    await naming(this.#named, 'written', this.#commit())
  }

  async discard(): Promise<void> {
    await this.#file.close()
    if (!this.#committed) await rm(this.#temporary, { force: true })
  }

  async #commit(): Promise<void> {
    await this.#file.sync()
    await rename(this.#temporary, this.#path)
    this.#committed = true
    const directory = await open(dirname(this.#path))
    await directory.sync().finally(() => directory.close())
  }
}

/** A device node or a pipe would be replaced by the file. */
async function refuseOtherThanFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found && !found.isFile())
    throw new UsageError(`'${path}' is no file: for a pipe or a device write -o - > ${path}`)
}
