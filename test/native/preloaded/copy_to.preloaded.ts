// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdtempSync, openSync, closeSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import tls from 'node:tls'
import { openDevice, type SavingStream } from 'vfio-migrate'
import { backendOf } from '../stress/devices.js'
import { StreamCheck } from '../stress/stream_check.js'
import { kernel } from './kernel.js'
import { scenario } from './scenario.js'

const image = 24 << 20

type Copied = Awaited<ReturnType<SavingStream['copyTo']>>

/** A sink of one kind that is ready, where its bytes come out again, and how it is ended. */
interface Route {
  readonly sink: Parameters<SavingStream['copyTo']>[0]
  readonly arrived: () => Promise<Buffer>
  readonly end: () => void
}

async function overLoopback(server: Server, dial: (port: number) => Promise<Socket>): Promise<Route> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, server instanceof tls.Server ? 'secureConnection' : 'connection')
  const sink = await dial((server.address() as AddressInfo).port)
  const [peer] = (await accepted) as [Readable]
  const bytes = buffer(peer)
  return { sink, arrived: () => bytes, end: () => void (sink.end(), server.close()) }
}

const socket = (): Promise<Route> =>
  overLoopback(createServer(), async port => {
    const client = connect(port, '127.0.0.1')
    await once(client, 'connect')
    return client
  })

/** By a key that both have: no certificate is needed. */
const shared = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const
const psk = Buffer.alloc(32, 1)

const tlsSocket = (): Promise<Route> =>
  overLoopback(tls.createServer({ ...shared, pskCallback: () => psk }), async port => {
    const client = tls.connect({
      ...shared,
      port,
      host: '127.0.0.1',
      pskCallback: () => ({ psk, identity: 'test' }),
      checkServerIdentity: () => undefined,
    })
    await once(client, 'secureConnect')
    return client
  })

const inFile =
  (open: (path: string) => Omit<Route, 'arrived'>) =>
  (directory: string): Promise<Route> => {
    const path = join(directory, 'state')
    return Promise.resolve({ ...open(path), arrived: () => buffer(createReadStream(path)) })
  }

const fd = inFile(path => {
  const number = openSync(path, 'w')
  return { sink: number, end: () => closeSync(number) }
})

const fileStream = inFile(path => {
  const sink = createWriteStream(path)
  return { sink, end: () => void sink.end() }
})

const routes = { 'a socket': socket, 'a TLS socket': tlsSocket, 'a file stream': fileStream, 'an fd': fd }

async function copyThrough(route: Route): Promise<Copied> {
  kernel.set(0, { image })
  const backend = await backendOf(0, 'opened')
  assert.ok(backend)
  await using device = await openDevice(backend, { buffers: { count: 3 } })
  await device.setState('STOP_COPY')
  return await device.savingStream.copyTo(route.sink)
}

describe('copyTo()', () => {
  for (const [name, open] of Object.entries(routes)) {
    scenario(`brings ${name} every byte, out of three buffers that are used again`, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'copy-to-'))
      try {
        const route = await open(directory)
        const copied = await copyThrough(route)
        route.end()
        const bytes = await route.arrived()
        assert.deepEqual(copied, { bytes: 24 + 16 + image, pause: 'end' })
        assert.equal(bytes.length, copied.bytes)
        new StreamCheck(true).take(bytes)
      } finally {
        rmSync(directory, { recursive: true })
      }
    })
  }
})
