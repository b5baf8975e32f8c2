// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, participants, pciParticipant, unixParticipant } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'
import { Peer } from './peer.js'

describe('in a migration', () => {
  it('a process pauses its CPUs, config space travels, and the destination runs with it', async () => {
    await using from = await openDevice(new MockDevice({ name: 'a' }))
    await using to = await openDevice(new MockDevice({ name: 'b' }))
    await using peer = await Peer.listen()
    using vmm = await unixParticipant(peer.path)
    await from.regions[7]?.write(4, Uint8Array.of(6, 4))
    await migrate({ from, to, participant: participants([vmm, pciParticipant()]) })
    assert.deepEqual(await to.regions[7]?.read(4, 2), Uint8Array.of(6, 4))
    assert.deepEqual(
      peer.heard.slice(1).map(({ moment }) => moment),
      ['quiesce', 'stopped', 'restored', 'running', 'released'],
    )
    assert.equal(peer.heard.at(-1)?.outcome, 'destination')
  })

  it('a process that goes when it is to restore sends the state back to the source', async () => {
    await using from = await openDevice(new MockDevice({ name: 'a' }))
    await using to = await openDevice(new MockDevice({ name: 'b' }))
    await using peer = await Peer.listen((message, say) => {
      if ('hello' in message) say({ hello: 'peer', version: 1 })
      else if (message.moment === 'restored') peer.hangUp()
      else say({ id: message.id, ok: true })
    })
    using vmm = await unixParticipant(peer.path)
    await assert.rejects(migrate({ from, to, participant: vmm }), error => {
      const { code, cause } = error as Error & { code: string }
      assert.equal((cause as Error & { code: string }).code, 'ERR_VFIO_PARTICIPANT')
      assert.match((cause as Error).message, /failed at 'restored': .* it closed the connection/)
      return code === 'ERR_VFIO_MIGRATION'
    })
    assert.equal(await from.state(), 'RUNNING')
  })

  it('a destination of another layout is refused before it runs, and the source runs again', async () => {
    await using from = await openDevice(new MockDevice({ name: 'a' }))
    await using to = await openDevice(new MockDevice({ name: 'b' }))
    await from.regions[7]?.write(0x10, Uint8Array.of(0, 0, 0xb0, 0xfe), { width: 4 })
    const participant = pciParticipant()
    const other = {
      ...participant,
      stopped: () => [
        Buffer.from(JSON.stringify({ version: 1, config: { ...layout, barBytes: [8192, 0, 0, 0, 0, 0] } })),
      ],
    }
    await assert.rejects(
      migrate({ from, to, participant: other }),
      /BAR 0 of 'b' has 4096 bytes, that of the source 8192/,
    )
    assert.equal(await from.state(), 'RUNNING')
  })
})

const layout = { command: 2, bars: [0, 0, 0, 0, 0, 0], barBytes: [4096, 0, 0, 0, 0, 0], msix: null }
