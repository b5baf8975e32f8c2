// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, participants, type Device, type Participant } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { moments } from '#lib/migration/participant.js'
import { Participation } from '#lib/migration/participation.js'

describe('participants()', () => {
  const clock = new VirtualClock()
  let devices: readonly Device[]

  before(async () => {
    devices = [
      await openDevice(new MockDevice({ name: 'a', clock })),
      await openDevice(new MockDevice({ name: 'b', clock })),
    ]
  })

  after(async () => {
    for (const device of devices) await device.close()
  })

  const participation = (...list: readonly Participant[]): Participation =>
    new Participation(participants(list), { clock })

  /** Writes down when it is told what; `fails` names moments at which it fails. */
  function recorded(name: string, log: string[], fails: readonly string[] = []): Participant {
    return Object.fromEntries(
      moments.map(moment => [
        moment,
        async () => {
          log.push(`${name} ${moment}`)
          await clock.sleep(1)
          if (fails.includes(moment)) throw new Error(`${name} at ${moment}`)
        },
      ]),
    )
  }

  it('are stopped in their order, one after another, and started in the opposite one', async () => {
    const log: string[] = []
    const one = participation(recorded('vmm', log), recorded('pci', log))
    await one.quiesce(devices)
    const sideData = await one.stopped(devices)
    await one.restored(devices, sideData)
    await one.running(devices)
    await one.resumed(devices)
    await one.released(devices, 'destination')
    assert.deepEqual(log, [
      'vmm quiesce',
      'pci quiesce',
      'vmm stopped',
      'pci stopped',
      'pci restored',
      'vmm restored',
      'pci running',
      'vmm running',
      'pci resumed',
      'vmm resumed',
      'pci released',
      'vmm released',
    ])
  })

  it('end their moment where one of them fails, and tell `resumed` to those only that were told to quiesce', async () => {
    const log: string[] = []
    const one = participation(recorded('a', log), recorded('b', log, ['quiesce']), recorded('c', log))
    await assert.rejects(one.quiesce(devices), /failed at 'quiesce': b at quiesce/)
    await one.resumed(devices)
    assert.deepEqual(log, ['a quiesce', 'b quiesce', 'b resumed', 'a resumed'])
  })

  it('are all told of `running`, `resumed` and `released`, and the first failure is the one that is told', async () => {
    const log: string[] = []
    const one = participation(
      recorded('a', log, ['running', 'resumed', 'released']),
      recorded('b', log, ['running', 'resumed', 'released']),
    )
    await one.quiesce(devices)
    log.length = 0
    await assert.rejects(one.running(devices), /b at running/)
    await assert.rejects(one.resumed(devices), /b at resumed/)
    await assert.rejects(one.released(devices, 'source'), /b at released/)
    assert.deepEqual(log, ['b running', 'a running', 'b resumed', 'a resumed', 'b released', 'a released'])
  })

  it('are told of nothing more when the time of the moment is up', async () => {
    const log: string[] = []
    const slow: Participant = { quiesce: async () => await clock.sleep(20_000) }
    const one = participation(slow, recorded('b', log))
    await assert.rejects(one.quiesce(devices), /did not answer 'quiesce'/)
    await one.resumed(devices)
    await clock.sleep(30_000)
    assert.deepEqual(log, [])
  })

  it('get the side data back that was theirs, device by device', async () => {
    const back: string[] = []
    const carrying = (name: string, texts: readonly (string | undefined)[]): Participant => ({
      stopped: () => texts.map(text => (text === undefined ? undefined : Buffer.from(text))),
      restored: ({ sideData }) => {
        back.push(`${name}: ${sideData.map(bytes => Buffer.from(bytes).toString()).join('|')}`)
      },
    })
    const one = participation(
      carrying('x', ['first', 'second']),
      {},
      carrying('y', [undefined, 'other']),
      carrying('z', []),
    )
    await one.restored(devices, await one.stopped(devices))
    assert.deepEqual(back, ['z: |', 'y: |other', 'x: first|second'])
  })

  it('share the mebibyte of a device', async () => {
    const half = new Uint8Array(2 ** 19)
    const fitting = (): Participant => ({ stopped: () => [half] })
    // Four bytes say how long each part is.
    const rest: Participant = { stopped: () => [half.subarray(8)] }
    const [first] = await participation(fitting(), rest).stopped(devices)
    assert.equal(first?.length, 2 ** 20)
    await assert.rejects(participation(fitting(), fitting()).stopped(devices), /has 1048584 bytes/)
  })

  it('answer for each of them what can be sent', async () => {
    const wrong = { stopped: () => ['text'] } as unknown as Participant
    await assert.rejects(participation({}, wrong).stopped(devices), /the side data of 'a' is no Uint8Array/)
  })

  it('refuse side data that is not of as many', async () => {
    const frames = [new Uint8Array(0), new Uint8Array(7), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)]
    frames.push(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 9), Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0))
    for (const frame of frames) {
      await assert.rejects(
        participation({}, {}).restored(devices, [frame, frame]),
        /the side data of 'a' is not that of 2 participants: name the same ones on both hosts/,
      )
    }
  })

  it('refuse what is no participant, and one that is named twice', () => {
    assert.throws(() => participants([{}, null as never]), TypeError)
    const one: Participant = {}
    assert.throws(() => participants([one, one]), /named twice/)
  })
})
