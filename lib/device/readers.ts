// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream'

/**
 * Those who read a stream otherwise than by its events: loops, and whoever waits for a pause. They are told of a failure by
 * a rejection, and of nothing more once 'close' was emitted.
 */
export class Readers {
  readonly #stream: Readable
  readonly #failure: () => Error
  #change: Promise<void> | undefined
  #tell: (() => void) | undefined
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
    const tell = this.#tell
    this.#tell = this.#change = undefined
    tell?.()
  }

  /** Resolves when they are to look again. */
  changed(): Promise<void> {
    this.#change ??= new Promise(resolve => (this.#tell = resolve))
    return this.#change
  }

  /** What `what` answers, or `'end'` where the stream has ended: undefined where there is nothing to say yet. */
  look<T extends string>(what: () => T | undefined): T | 'end' | undefined {
    if (this.#stream.readableEnded) return 'end'
    // Not before: an 'error' that finds no listener any more would end the process.
    if (this.#told) throw this.#failure()
    return this.#stream.destroyed ? undefined : what()
  }

  /** Waits until `what` answers something or the stream has ended. */
  async until<T extends string>(what: () => T | undefined): Promise<T | 'end'> {
    this.enter()
    try {
      for (;;) {
        const answer = this.look(what)
        if (answer !== undefined) return answer
        await this.changed()
      }
    } finally {
      this.leave()
    }
  }
}

const toldByRejection = (): void => undefined
