// SPDX-License-Identifier: Apache-2.0
import { fsyncSync, ftruncateSync, renameSync, writeSync } from 'node:fs'
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { naming } from './file_error.ts'
import { UsageError } from './refusals.ts'

/** A file beside the one that was named, which it becomes at the end: what is cut short is never found under that name. */
export class WholeFile {
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

  /** `mode` is what others may do with it, as far as the umask lets them; `exactMode`, whatever the umask is. */
  static async create(named: string, mode: number, exactMode?: number): Promise<WholeFile> {
    // A link is written through, as with any other program.
    const path = await realpath(named).catch(() => named)
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.partial`)
    const file = await naming(named, 'written', open(temporary, 'wx', mode))
    if (exactMode !== undefined) await naming(named, 'written', file.chmod(exactMode))
    return new WholeFile(named, path, temporary, file)
  }

  /** Stays the file's: it may be written to until that is committed or discarded. */
  get fd(): number {
    return this.#file.fd
  }

  /** Does what writes to the fd, and tells of a failure there as `write` does. */
  async naming<T>(work: Promise<T>): Promise<T> {
    return await naming(this.#named, 'written', work, isOfFd)
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await naming(this.#named, 'written', this.#file.write(chunk, at))
      at += bytesWritten
    }
  }

  /** Everything was written: makes it last, and gives it its name. */
  async commit(): Promise<void> {
    await naming(this.#named, 'written', this.#commit())
  }

  /** All of it, before this returns: for a process that is about to end. */
  finishAtOnce(all: Uint8Array): void {
    const { fd } = this.#file
    ftruncateSync(fd)
    for (let at = 0; at < all.length;) at += writeSync(fd, all, at, all.length - at, at)
    fsyncSync(fd)
    renameSync(this.#temporary, this.#path)
    this.#committed = true
  }

  /** Leaves nothing behind, unless it was committed. */
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

/** A failure of a device names that. */
function isOfFd(error: unknown): boolean {
  const { syscall, device } = error as { syscall?: unknown; device?: unknown }
  return syscall === 'write' && device === undefined
}

/** A device node or a pipe would be replaced by the file: `instead` says what to do for one. */
export async function refuseOtherThanFile(named: string, instead: (path: string) => string): Promise<void> {
  const path = await realpath(named).catch(() => named)
  const found = await stat(path).catch(() => undefined)
  if (found && !found.isFile()) throw new UsageError(`'${path}' is no file: ${instead(path)}`)
}
