// SPDX-License-Identifier: Apache-2.0
import { WriteStream, write } from 'node:fs'
import { Socket } from 'node:net'
import { promisify } from 'node:util'

/** What has consumed the bytes when it calls back, so that their memory can be used again: `net.Socket` and its TLS kind, `fs.WriteStream`, an fd. */
export type Sink = Socket | WriteStream | number

const fsWrite = promisify(write)

/** @internal */
export function writerTo(sink: unknown): (chunk: Buffer) => Promise<void> {
  if (typeof sink === 'number') return async chunk => await writeAll(sink, chunk)
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

async function writeAll(fd: number, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    const { bytesWritten } = await fsWrite(fd, chunk, at, chunk.length - at, null)
    at += bytesWritten
  }
}
