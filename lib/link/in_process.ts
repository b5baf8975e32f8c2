// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import type { Link } from './link.ts'

/** How many messages may lie untaken in one direction before their sender waits. */
const usualCapacity = 64

/**
 * The two ends of a link inside this process. A message is handed over as it is, not copied. What was sent before
 * `close()` can still be received at the end that did not call it; what waits is rejected with its reason.
 *
 * @throws RangeError for a capacity that is no whole number of at least 1.
 */
export function inProcessLink<A, B>(capacity: number = usualCapacity): [Link<A, B>, Link<B, A>] {
  if (!Number.isInteger(capacity) || capacity < 1) {
    throw new RangeError(`A link has room for a whole number of messages from 1, not for ${capacity}`)
  }
  const there = new Lane<A>(capacity)
  const back = new Lane<B>(capacity)
  return [end(there, back), end(back, there)]
}

function end<Sent, Received>(out: Lane<Sent>, into: Lane<Received>): Link<Sent, Received> {
  return {
    roundTripMs: 0,
    send: async message => await out.put(message),
    receive: async () => await into.take(),
    close: (why = new VfioError('ERR_VFIO_LINK', 'The link between the two sides was closed')) => {
      out.close(why)
      into.close(why)
      into.forget()
    },
  }
}

interface Waiting<Value> {
  readonly resolve: (value: Value) => void
  readonly reject: (why: Error) => void
}

/** One direction. Receivers wait only while no message lies here, senders only while too many do. */
class Lane<Message> {
  readonly #capacity: number
  readonly #untaken: Message[] = []
  readonly #receivers: Waiting<Message>[] = []
  readonly #senders: Waiting<void>[] = []
  #closed: Error | undefined

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  async put(message: Message): Promise<void> {
    if (this.#closed) throw this.#closed
    const receiver = this.#receivers.shift()
    if (receiver) receiver.resolve(message)
    else this.#untaken.push(message)
    if (this.#untaken.length < this.#capacity) return
    await new Promise<void>((resolve, reject) => this.#senders.push({ resolve, reject }))
  }

  async take(): Promise<Message> {
    if (this.#untaken.length > 0) return this.#shift()
    if (this.#closed) throw this.#closed
    return await new Promise<Message>((resolve, reject) => this.#receivers.push({ resolve, reject }))
  }

  close(why: Error): void {
    this.#closed ??= why
    for (const { reject } of [...this.#receivers.splice(0), ...this.#senders.splice(0)]) reject(this.#closed)
  }

  forget(): void {
    this.#untaken.length = 0
  }

  /** Takes a message, and lets the sender go on that has waited longest. */
  #shift(): Message {
    const message = this.#untaken.shift() as Message
    if (this.#untaken.length < this.#capacity) this.#senders.shift()?.resolve()
    return message
  }
}
