// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { errno } from '#lib/kernel/errno.js'
import { frameLimits } from '#lib/mock/frame.js'
import { MockDevice, openRemoteMock, serveMock, VirtualClock, type ServeOptions } from 'vfio-migrate/mock'
import { kill, Processes } from './served/processes.ts'
import { RawClient } from './served/socket.ts'

const greeting = { mock: 1, as: 'device' }

describe('what serves a mock', () => {
  let processes: Processes

  beforeEach(() => {
    processes = new Processes()
  })

  afterEach(async () => {
    await processes[Symbol.asyncDispose]()
  })

  describe('refuses to serve', () => {
    const refused: Record<string, [() => MockDevice | undefined, unknown, RegExp]> = {
      'a virtual clock': [
        () => new MockDevice({ clock: new VirtualClock() }),
        'with-client',
        /virtual clock/,
      ],
      'what dies with something else': [() => new MockDevice(), 'never', /'with-client' or 'with-host'/],
      'what is lent and is to die with a client': [
        () => new MockDevice({ origin: 'lent' }),
        'with-client',
        /cannot die with a client/,
      ],
      'what is no mock': [() => undefined, 'with-client', /takes a MockDevice/],
    }
    for (const [what, [mock, dies, message]] of Object.entries(refused)) {
      it(what, async () => {
        const path = processes.path('mock')
        await assert.rejects(serveMock(mock() as MockDevice, path, { dies } as ServeOptions), error => {
          return error instanceof TypeError && message.test(error.message)
        })
        assert.equal(existsSync(path), false)
      })
    }
  })

  describe('has a socket', () => {
    it('that is its owner’s alone, and goes when it is closed', async () => {
      const path = processes.path('mock')
      const server = await processes.serve(new MockDevice(), path, 'with-client')
      assert.equal(statSync(path).mode & 0o777, 0o600)
      const { calls } = await openRemoteMock(path)
      await Promise.all([server.close(), server.close()])
      assert.equal(existsSync(path), false)
      assert.equal(await calls.getState(), -errno.ENODEV)
      await assert.rejects(openRemoteMock(path), { code: 'ERR_VFIO_NO_DEVICE' })
    })

    it('that replaces one whose process was killed', async () => {
      const path = processes.path('mock')
      await kill(await processes.host(path, {}, 'with-client'))
      assert.equal(existsSync(path), true)
      await processes.serve(new MockDevice(), path, 'with-client')
      await (await openRemoteMock(path)).calls.close()
    })

    it('that replaces none at which somebody listens', async () => {
      const path = processes.path('mock')
      await processes.serve(new MockDevice(), path, 'with-client')
      await assert.rejects(processes.serve(new MockDevice(), path, 'with-client'), {
        code: 'EADDRINUSE',
        path,
      })
      await (await openRemoteMock(path)).calls.close()
    })

    it('that replaces no file', async () => {
      const path = processes.path('file')
      writeFileSync(path, 'mine')
      await assert.rejects(processes.serve(new MockDevice(), path, 'with-client'), { code: 'EEXIST', path })
      assert.equal(existsSync(path), true)
    })

    it('whose path fits into an address', async () => {
      const path = processes.path('x'.repeat(100))
      await assert.rejects(processes.serve(new MockDevice(), path, 'with-client'), RangeError)
    })
  })

  describe('ends the connection of who sends', () => {
    const bad: Record<string, (client: RawClient) => RawClient> = {
      'no greeting': client => client.send({ id: 1, call: 'getState', args: [] }),
      'a header that is too long': client =>
        client.sendBytes(Buffer.from(Uint32Array.of(frameLimits.header + 1, 0).buffer)),
      'a payload that is too long': client =>
        client.send(greeting).sendBytes(Buffer.from(Uint32Array.of(2, frameLimits.payload + 1).buffer)),
      'what is no JSON': client =>
        client
          .send(greeting)
          .sendBytes(Buffer.concat([Buffer.from(Uint32Array.of(2, 0).buffer), Buffer.from('{]')])),
      'what is no request': client => client.send(greeting).send({ call: 'getState' }),
      'a call that there is not': client =>
        client.send(greeting).send({ id: 1, call: 'constructor', args: [] }),
      'a call of a session that there is not': client =>
        client.send(greeting).send({ id: 1, call: 'read', args: [1, 0], session: 1 }),
      'what is no argument': client =>
        client.send(greeting).send({ id: 1, call: 'setStates', args: ['STOP'] }),
      'words that are none': client =>
        client.send(greeting).send({ id: 1, call: 'dmaLoggingStart', args: [4096] }, Uint8Array.of(1)),
      'a call of the seam where it controls': client =>
        client.send({ mock: 1, as: 'control' }).send({ id: 1, call: 'getState', args: [] }),
    }
    for (const [what, send] of Object.entries(bad)) {
      it(`${what}, and goes on serving`, async () => {
        const path = processes.path('mock')
        const mock = new MockDevice()
        await processes.serve(mock, path, 'with-client')
        await send(new RawClient(path)).ended()
        const { calls } = await openRemoteMock(path)
        assert.equal(await calls.getState(), 2)
        await calls.close()
      })
    }

    it('another version, with a word about it', async () => {
      const path = processes.path('mock')
      await processes.serve(new MockDevice(), path, 'with-client')
      const received = await new RawClient(path).send({ mock: 2, as: 'device' }).ended()
      assert.deepEqual(received, [{ mock: 1, refused: -errno.EPROTO }])
    })
  })

  it('is told from what is served by another version, or is something else', async () => {
    for (const [said, code] of [
      [{ mock: 1, refused: -errno.EPROTO }, 'EPROTO'],
      [{ hello: 'world' }, 'ERR_VFIO_NO_DEVICE'],
      [undefined, 'ERR_VFIO_NO_DEVICE'],
    ] as const) {
      const path = processes.path(code)
      const server = createServer(socket => {
        if (said === undefined) socket.destroy()
        else socket.resume().write(frame(said))
      }).listen(path)
      await once(server, 'listening')
      await assert.rejects(openRemoteMock(path), { code })
      server.close()
      await once(server, 'close')
    }
  })
})

function frame(header: object): Buffer {
  const json = Buffer.from(JSON.stringify(header))
  return Buffer.concat([Buffer.from(Uint32Array.of(json.length, 0).buffer), json])
}
