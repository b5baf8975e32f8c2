// SPDX-License-Identifier: Apache-2.0
// The files that are read and written: in memory, without a name, so that nothing is left of them however this process
// ends. Others open them by our fds.
import { randomFillSync } from 'node:crypto'
import { ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

const directory = '/dev/shm'
const mebibyte = 2 ** 20
let serial = 0

/** A file of tmpfs. */
export class MemoryFile {
  #fd

  constructor() {
    const path = join(directory, `vfio-migrate-bench-${process.pid}-${++serial}`)
    this.#fd = openSync(path, 'wx+', 0o600)
    unlinkSync(path)
  }

  /** As long as this process lives. */
  get path() {
    return `/proc/${process.pid}/fd/${this.#fd}`
  }

  /** @param {number} bytes @param {(piece: Buffer) => void} make what the next piece is */
  fill(bytes, make) {
    const piece = Buffer.alloc(mebibyte)
    for (let at = 0; at < bytes; at += mebibyte) {
      make(piece)
      writeSync(this.#fd, piece, 0, Math.min(mebibyte, bytes - at), at)
    }
    return this
  }

  /** @param {number} bytes */
  fillRandomly(bytes) {
    return this.fill(bytes, piece => randomFillSync(piece))
  }

  /** One hole, which takes no memory. @param {number} bytes */
  leaveEmpty(bytes) {
    ftruncateSync(this.#fd, bytes)
    return this
  }

  /**
   * Of so many bytes, of which the first are there again and again where there are not as many.
   * @param {number} bytes @param {number} [period]
   */
  crc32(bytes, period = bytes) {
    const piece = Buffer.alloc(mebibyte)
    let sum = 0
    for (let at = 0; at < bytes; at += mebibyte) {
      const count = readSync(this.#fd, piece, 0, Math.min(mebibyte, bytes - at), at % period)
      sum = crc32(piece.subarray(0, count), sum)
    }
    return sum
  }
}
