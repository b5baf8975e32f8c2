// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream'

/**
 * Those who read a stream otherwise than by its events: loops, and whoever waits for a pause. They are told of a failure by
 * a rejection, and of nothing more once 'close' was emitted.
 */
export class Readers {
  readonly #stream: Readable
  readonly #failure: () => Error
  readonly #waiters = new Set<() => void>()
  #count = 0
  /** 'error' and 'close' have been emitted. */
  #told = false

  /** `failure` is why the stream was destroyed. */
  constructor(stream: Readable, failure: () => Error) {
    this.#stream = stream
    this.#failure = failure
    stream.once('end', () => this.wake())
    stream.once('close', () => {
      this.#told = true
      this.wake()
    })
  }

  get count(): number {
    return this.#count
  }

  enter(): void {
    this.#count++
    this.#stream.on('error', toldByRejection)
  }

  leave(): void {
    this.#count--
    // An error that is on its way must find a listener, or it ends the process.
    if (!this.#stream.destroyed) this.#stream.off('error', toldByRejection)
  }

  /** They look again. */
  wake(): void {
    for (const resolve of this.#waiters) resolve()
    this.#waiters.clear()
  }

  /** Waits until `what` answers something or the stream has ended. */
  async until<T extends string>(what: () => T | undefined): Promise<T | 'end'> {
    this.enter()
    try {
      for (;;) {
        if (this.#stream.readableEnded) return 'end'
        // Not before: an 'error' that finds no listener any more would end the process.
        if (this.#told) throw this.#failure()
        const answer = this.#stream.destroyed ? undefined : what()
        if (answer !== undefined) return answer
        await new Promise<void>(resolve => this.#waiters.add(resolve))
      }
    } finally {
      this.leave()
    }
  }
}

const toldByRejection = (): void => undefined
