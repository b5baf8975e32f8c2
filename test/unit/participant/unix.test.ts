// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openDevice, unixParticipant, type Device, type UnixParticipant } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { Participation, type MomentLimits } from '#lib/migration/participation.js'
import { Peer, type Message } from './peer.js'

const mebibyte = 2 ** 20

/** Answers the greeting, and each request by `answer`. */
function answering(answer: (message: Message) => unknown): Peer['onMessage'] {
  return (message, say) => {
    if ('hello' in message) say({ hello: 'peer', version: 1 })
    else if ('id' in message) {
      const said = answer(message)
      if (said !== undefined) say(said)
    }
  }
}

describe('unixParticipant()', () => {
  let devices: readonly Device[]

  before(async () => {
    devices = [
      await openDevice(new MockDevice({ name: 'a' })),
      await openDevice(new MockDevice({ name: 'b' })),
    ]
  })

  after(async () => {
    for (const device of devices) await device.close()
  })

  const participation = (
    participant: UnixParticipant,
    more: { limits?: MomentLimits; signal?: AbortSignal } = {},
  ): Participation => new Participation(participant, { clock: devices[0]?.clock ?? assert.fail(), ...more })

  const told = (side: string): unknown => ['a', 'b'].map(name => ({ name, driver: 'mlx5_vfio_pci', side }))

  it('greets, and asks at each moment with what belongs to it', async () => {
    await using peer = await Peer.listen(
      answering(({ id, moment }) => ({
        id,
        ok: true,
        ...(moment === 'stopped' && { sideData: ['AAE=', null] }),
      })),
    )
    using participant = await unixParticipant(peer.path)
    assert.deepEqual(peer.heard, [{ hello: 'vfio-migrate', version: 1 }])
    const one = participation(participant, { limits: { running: 500 } })
    await one.quiesce(devices)
    const sideData = await one.stopped(devices)
    assert.deepEqual(sideData, [Uint8Array.of(0, 1), new Uint8Array(0)])
    await one.restored(devices, sideData)
    await one.running(devices)
    await one.resumed(devices)
    await one.released(devices, 'destination')
    const limitMs = 10_000
    assert.deepEqual(peer.heard.slice(1), [
      { id: 1, moment: 'quiesce', devices: told('source'), limitMs },
      { id: 2, moment: 'stopped', devices: told('source'), limitMs },
      { id: 3, moment: 'restored', devices: told('destination'), limitMs, sideData: ['AAE=', ''] },
      { id: 4, moment: 'running', devices: told('destination'), limitMs: 500 },
      { id: 5, moment: 'resumed', devices: told('source'), limitMs },
      { id: 6, moment: 'released', devices: told('source'), limitMs, outcome: 'destination' },
    ])
  })

  it('carries a mebibyte for each device both ways', async () => {
    const bytes = Buffer.alloc(mebibyte, 'state')
    const text = bytes.toString('base64')
    await using peer = await Peer.listen(
      answering(({ id, moment }) => ({
        id,
        ok: true,
        ...(moment === 'stopped' && { sideData: [text, text] }),
      })),
    )
    using participant = await unixParticipant(peer.path)
    const one = participation(participant)
    const sideData = await one.stopped(devices)
    assert.ok(sideData.every(part => bytes.equals(part)))
    await one.restored(devices, sideData)
    assert.deepEqual(peer.heard.at(-1)?.sideData, [text, text])
  })

  it('refuses a byte more', async () => {
    const text = Buffer.alloc(mebibyte + 1).toString('base64')
    await using peer = await Peer.listen(answering(({ id }) => ({ id, ok: true, sideData: [text] })))
    using participant = await unixParticipant(peer.path)
    await assert.rejects(participation(participant).stopped(devices), {
      code: 'ERR_VFIO_PARTICIPANT',
      message:
        "The participant failed at 'stopped': the side data of 'a' has 1048577 bytes; at most 1048576 travel beside a device's state",
    })
  })

  it('fails a moment with what the participant says, without what could steer a terminal', async () => {
    await using peer = await Peer.listen(
      answering(({ id }) => ({ id, ok: false, error: `vCPU 3\u001b[2J hangs${'!'.repeat(600)}` })),
    )
    using participant = await unixParticipant(peer.path)
    const one = participation(participant)
    await assert.rejects(one.quiesce(devices), error => {
      const { message } = error as Error
      return (
        message.startsWith("The participant failed at 'quiesce': vCPU 3 [2J hangs!!!") && message.length < 600
      )
    })
  })

  it('goes on after a moment that failed', async () => {
    await using peer = await Peer.listen(
      answering(({ id, moment }) => (moment === 'quiesce' ? { id, ok: false } : { id, ok: true })),
    )
    using participant = await unixParticipant(peer.path)
    const one = participation(participant)
    await assert.rejects(one.quiesce(devices), /it does not say why/)
    await one.resumed(devices)
  })

  it('takes an answer back that does not come in time, and does not mind it later', async () => {
    await using peer = await Peer.listen((message, say) => {
      if ('hello' in message) say({ hello: 'peer', version: 1 })
      else if ('cancel' in message) {
        say({ id: message.cancel, ok: true, sideData: [Buffer.alloc(mebibyte).toString('base64')] })
      } else if (message.moment !== 'stopped') say({ id: message.id, ok: true })
    })
    using participant = await unixParticipant(peer.path)
    const one = participation(participant, { limits: { stopped: 20 } })
    await assert.rejects(one.stopped(devices), /did not answer 'stopped' within 20 ms/)
    await one.resumed(devices)
    assert.deepEqual(peer.heard.slice(2), [
      { cancel: 1 },
      { id: 2, moment: 'resumed', devices: told('source'), limitMs: 10_000 },
    ])
  })

  it('takes it back, too, where the migration is cancelled', async () => {
    const controller = new AbortController()
    await using peer = await Peer.listen(
      answering(({ id, moment }) => {
        if (moment !== 'quiesce') return { id, ok: true }
        controller.abort()
        return undefined
      }),
    )
    using participant = await unixParticipant(peer.path)
    const one = participation(participant, { signal: controller.signal })
    await assert.rejects(one.quiesce(devices), { name: 'AbortError' })
    await one.resumed(devices)
    assert.deepEqual(peer.heard[2], { cancel: 1 })
  })

  it('serves two migrations at a time', async () => {
    const ids: unknown[] = []
    await using peer = await Peer.listen((message, say) => {
      if ('hello' in message) say({ hello: 'peer', version: 1 })
      else if (ids.push(message.id) === 2) for (const id of ids.toReversed()) say({ id, ok: true })
    })
    using participant = await unixParticipant(peer.path)
    await Promise.all([
      participation(participant).quiesce(devices),
      participation(participant).running(devices),
    ])
  })

  for (const [what, line, why] of [
    ['garbage', 'GET / HTTP/1.1\n', /it sent what is no JSON: 'GET \/ HTTP\/1.1'/],
    ['no object', '[1]\n', /it sent what is no JSON object/],
    ['an empty line', '\n', /it sent what is no JSON: ''/],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a]), /it sent what is no JSON/],
    ['an answer without an id', '{"ok":true}\n', /an answer without an id/],
    ['an answer that nobody asked', '{"id":77,"ok":true}\n', /it answered 77, which nobody has asked/],
    ['an answer that is neither', '{"id":1}\n', /neither ok nor not/],
    [
      'side data where none belongs',
      '{"id":1,"ok":true,"sideData":[]}\n',
      /side data at 'quiesce', not at 'stopped'/,
    ],
    ['side data that is no list', '{"id":1,"ok":true,"sideData":"AA=="}\n', /its side data is no list/],
    ['side data of numbers', '{"id":1,"ok":true,"sideData":[1]}\n', /other things than strings/],
    ['side data that is no base64', '{"id":1,"ok":true,"sideData":["A!=="]}\n', /its side data is no base64/],
    ['a line that does not end', 'x'.repeat(64 * 1024 + 1), /it sent a line of more than 65536 bytes/],
  ] as const) {
    it(`ends with ${what}, and says so at every moment from then on`, async () => {
      await using peer = await Peer.listen(
        answering(() => {
          peer.send(line)
          return undefined
        }),
      )
      using participant = await unixParticipant(peer.path)
      const one = participation(participant)
      const refused = { code: 'ERR_VFIO_PARTICIPANT', moment: 'quiesce', message: why }
      await assert.rejects(one.quiesce(devices), refused)
      await assert.rejects(one.resumed(devices), { ...refused, moment: 'resumed' })
    })
  }

  it('ends with two answers to one request', async () => {
    await using peer = await Peer.listen(
      answering(({ id }) => {
        peer.send(`{"id":${String(id)},"ok":true}\n{"id":${String(id)},"ok":true}\n`)
        return undefined
      }),
    )
    using participant = await unixParticipant(peer.path)
    const one = participation(participant)
    await one.quiesce(devices)
    await assert.rejects(one.resumed(devices), /it answered 1, which nobody has asked/)
  })

  it('takes lines that come byte by byte', async () => {
    await using peer = await Peer.listen(
      answering(({ id }) => {
        for (const byte of Buffer.from(`{"id":${String(id)},"ok":true}\n`)) peer.send(Uint8Array.of(byte))
        return undefined
      }),
    )
    using participant = await unixParticipant(peer.path)
    await participation(participant).quiesce(devices)
  })

  it('says so when the participant goes, while it is asked and before', async () => {
    await using peer = await Peer.listen(
      answering(() => {
        peer.hangUp()
        return undefined
      }),
    )
    using participant = await unixParticipant(peer.path)
    const one = participation(participant)
    for (let times = 0; times < 2; times++) {
      await assert.rejects(one.running(devices), {
        code: 'ERR_VFIO_PARTICIPANT',
        message: `The participant failed at 'running': The connection to the participant at '${peer.path}' is of no use: it closed the connection`,
      })
    }
  })

  it('is of no use once it is closed, and its connection is gone', async () => {
    await using peer = await Peer.listen()
    const participant = await unixParticipant(peer.path)
    participant.close()
    participant.close()
    await assert.rejects(participation(participant).quiesce(devices), /it was closed here/)
    while (peer.connections > 0) await new Promise(resolve => setImmediate(resolve))
  })

  it('keeps no process alive while it is not asked', async () => {
    await using peer = await Peer.listen()
    const program = `import { unixParticipant } from 'vfio-migrate'; await unixParticipant(process.argv[1])`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, peer.path], {
      cwd: new URL('../../..', import.meta.url),
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    assert.deepEqual(await once(child, 'close'), [0, null])
    assert.equal(peer.heard.length, 1)
  })

  it('refuses, before anything is asked, whoever does not greet as a participant does', async () => {
    for (const [greeting, why] of [
      [{ hello: 'peer', version: 2 }, /it speaks version '2', not 1/],
      [{ hello: 'peer' }, /it speaks version 'undefined', not 1/],
      [{ QMP: {} }, /it did not greet: '\{"QMP":\{\}\}'/],
      ['hello', /no JSON object/],
    ] as const) {
      await using peer = await Peer.listen((_, say) => say(greeting))
      await assert.rejects(unixParticipant(peer.path), { code: 'ERR_VFIO_PARTICIPANT', message: why })
      assert.equal(peer.heard.length, 1)
    }
  })

  it('refuses whoever closes at once', async () => {
    await using peer = await Peer.listen(() => peer.hangUp())
    await assert.rejects(unixParticipant(peer.path), { code: 'ERR_VFIO_PARTICIPANT' })
  })

  it('waits five seconds for the greeting', async () => {
    await using peer = await Peer.listen(() => undefined)
    const clock = new VirtualClock()
    await assert.rejects(unixParticipant(peer.path, { clock }), /it did not greet within 5000 ms/)
    assert.equal(clock.now(), 5000)
  })

  it('stops waiting for the greeting when it is told to', async () => {
    const controller = new AbortController()
    await using peer = await Peer.listen(() => controller.abort())
    await assert.rejects(unixParticipant(peer.path, { signal: controller.signal }), { name: 'AbortError' })
    await assert.rejects(unixParticipant(peer.path, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  })

  it('says where there is nobody', async () => {
    await assert.rejects(unixParticipant('/nonexistent/socket'), error => {
      const { code, message, cause } = error as Error & { code: string }
      assert.equal((cause as NodeJS.ErrnoException).code, 'ENOENT')
      return code === 'ERR_VFIO_PARTICIPANT' && message.includes("participant at '/nonexistent/socket'")
    })
  })
})
