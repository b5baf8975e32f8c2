// SPDX-License-Identifier: Apache-2.0
import { WriteStream } from 'node:fs'
import { Socket } from 'node:net'

/** What has consumed the bytes when it calls back, so that their memory can be used again: `net.Socket` and its TLS kind, `fs.WriteStream`, an fd. */
export type Sink = Socket | WriteStream | number

/** Writes a chunk to a sink that is no fd. @throws TypeError for what is none. @internal */
export function writerTo(sink: unknown): (chunk: Buffer) => Promise<void> {
  if (!(sink instanceof Socket || sink instanceof WriteStream)) {
    throw new TypeError(
      'copyTo() takes a net.Socket, a tls.TLSSocket, an fs.WriteStream or an fd; for any other stream use pipeline()',
    )
  }
  return async chunk => {
    await new Promise<void>((resolve, reject) => {
      sink.write(chunk, error => (error ? reject(error) : resolve()))
    })
  }
}
