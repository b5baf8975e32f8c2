// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Message = Readonly<Record<string, unknown>>

/** A participant in another process, as far as one connection can tell: what it hears, and what it says. */
export class Peer implements AsyncDisposable {
  readonly path: string
  readonly heard: Message[] = []
  /** Called with each line that is heard. */
  onMessage: (message: Message, say: (line: unknown) => void) => void = (message, say) => {
    if ('hello' in message) say({ hello: 'peer', version: 1 })
    else if ('id' in message) say({ id: message.id, ok: true })
  }
  readonly #directory: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-peer-'))
    this.path = join(this.#directory, 'socket')
    this.#server = createServer(socket => this.#serve(socket))
  }

  static async listen(onMessage?: Peer['onMessage']): Promise<Peer> {
    const peer = new Peer()
    if (onMessage) peer.onMessage = onMessage
    peer.#server.listen(peer.path)
    await once(peer.#server, 'listening')
    return peer
  }

  /** Sends bytes as they are. */
  send(bytes: string | Uint8Array): void {
    for (const socket of this.#sockets) socket.write(bytes)
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  get connections(): number {
    return this.#sockets.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.#directory, { recursive: true })
  }

  #serve(socket: Socket): void {
    let rest = ''
    this.#sockets.add(socket)
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const message = JSON.parse(line) as Message
        this.heard.push(message)
        this.onMessage(message, said => socket.write(`${JSON.stringify(said)}\n`))
      }
    })
  }
}
