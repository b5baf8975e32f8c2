// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { encodeFrame, FrameReader } from '#lib/mock/frame.js'

/** A client that says what it likes. */
export class RawClient {
  readonly #socket: Socket
  readonly #frames = new FrameReader()
  readonly #received: Readonly<Record<string, unknown>>[] = []
  readonly #closed: Promise<unknown>

  constructor(path: string) {
    this.#socket = connect(path)
    this.#socket.on('data', piece => {
      for (const { header } of this.#frames.push(piece)) this.#received.push(header)
    })
    this.#socket.on('error', () => undefined)
    this.#closed = once(this.#socket, 'close')
  }

  send(header: object, payload?: Uint8Array): this {
    for (const part of encodeFrame(header, payload)) this.#socket.write(part)
    return this
  }

  sendBytes(bytes: Uint8Array): this {
    this.#socket.write(bytes)
    return this
  }

  /** What came before the host ended the connection. */
  async ended(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    await this.#closed
    return this.#received
  }
}
