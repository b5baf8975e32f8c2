// SPDX-License-Identifier: Apache-2.0
import type { Answer, PrecopyInfoAnswer, ReadAnswer, SessionCalls } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import { checkBytes, checkRead } from './arguments.ts'
import { refusals } from './refusals.ts'
import { copyOf, frameBytes } from './wire.ts'
import type { Answered, WireClient } from './wire_client.ts'

/** One data_fd of a device in another process. */
export class RemoteSession implements SessionCalls {
  readonly #client: WireClient
  /** The host's number for it. */
  readonly #session: number
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(client: WireClient, session: number) {
    this.#client = client
    this.#session = session
  }

  read(maxBytes: number, waitMs: number): Promise<ReadAnswer> {
    checkRead(maxBytes, waitMs)
    return this.#read(maxBytes, waitMs)
  }

  write(data: Uint8Array): Promise<Answer> {
    checkBytes(data, 'data')
    return this.#write(data)
  }

  async precopyInfo(): Promise<PrecopyInfoAnswer> {
    const answered = this.#isClosing ? undefined : await this.#ask('precopyInfo', [])
    return answered === undefined
      ? refusals.precopyInfo(-errno.ENODEV)
      : (answered.answer as PrecopyInfoAnswer)
  }

  close(): Promise<void> {
    this.#isClosing = true
    this.#closed ??= this.#ask('close', []).then(() => undefined)
    return this.#closed
  }

  /** Its device is being closed. */
  endWithDevice(): void {
    this.#isClosing = true
  }

  async #read(maxBytes: number, waitMs: number): Promise<ReadAnswer> {
    if (this.#isClosing) return refusals.read(-errno.EBADF, 0)
    const answered = await this.#ask('read', [maxBytes, waitMs])
    if (answered === undefined) return refusals.read(-errno.ENODEV, 0)
    return { ...(answered.answer as { result: number; arc: number }), data: answered.payload }
  }

  /** In pieces that fit into a frame, all under way at once: they are taken in their order, and behind one that fails none is. */
  async #write(data: Uint8Array): Promise<Answer> {
    if (this.#isClosing) return -errno.EBADF
    const pieces: Promise<Answered>[] = []
    for (let at = 0; at === 0 || at < data.length; at += frameBytes) {
      pieces.push(this.#ask('write', [], copyOf(data.subarray(at, at + frameBytes))))
    }
    const answers = (await Promise.all(pieces)).map(answered => (answered?.answer ?? -errno.ENODEV) as number)
    return answers.find(answer => answer < 0) ?? answers.reduce((sum, answer) => sum + answer, 0)
  }

  #ask(call: string, args: readonly unknown[], payload?: Uint8Array): Promise<Answered> {
    return this.#client.request(call, args, { session: this.#session, ...(payload && { payload }) })
  }
}
