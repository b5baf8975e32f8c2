// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import type { DeviceBackend } from '#lib/backend/seam.js'
import { inProcessLink } from '#lib/link/in_process.js'
import type { Link } from '#lib/link/link.js'
import { DestinationRole } from '#lib/migration/destination_role.js'
import { Participation } from '#lib/migration/participation.js'
import { Timeline } from '#lib/migration/phases.js'
import { Side } from '#lib/migration/side.js'
import { destinationOwner } from '#lib/ownership/destination.js'
import { MemoryJournal } from '#lib/ownership/journal.js'
import {
  maxDataBytes,
  windowBytes,
  type DestinationMessage,
  type End,
  type SourceMessage,
} from '#lib/wire/message.js'
import { ScriptedDevice } from '../device/scripted_device.js'

const common = { flavour: 'pds', size: '32KiB' } as const

/** A source that says what a test has it say, and the whole state of a device to say it with. */
class Talk {
  readonly mock: MockDevice
  readonly state: Buffer
  readonly #link: Link<SourceMessage, DestinationMessage>
  readonly #run: Promise<void>

  static async begun(backend?: DeviceBackend): Promise<Talk> {
    const clock = new VirtualClock()
    const mock = new MockDevice({ ...common, clock, name: 'destination', seed: 2n })
    const device = await openDevice(backend ?? mock)
    const [ours, theirs] = inProcessLink<SourceMessage, DestinationMessage>()
    const role = new DestinationRole({
      sides: [new Side(device, () => undefined)],
      link: theirs,
      owner: await destinationOwner(new MemoryJournal()),
      participation: new Participation(undefined, { clock }),
      timeline: new Timeline(
        () => clock.now(),
        () => undefined,
      ),
      onStuck: undefined,
      isSet: false,
      facts: () => Promise.resolve('facts'),
      beforeResuming: () => Promise.resolve(),
      beforeCommit: () => undefined,
    })
    return new Talk({ mock, state: await stateOf(clock), link: ours, run: role.run() })
  }

  private constructor(given: {
    mock: MockDevice
    state: Buffer
    link: Link<SourceMessage, DestinationMessage>
    run: Promise<void>
  }) {
    this.mock = given.mock
    this.state = given.state
    this.#link = given.link
    this.#run = given.run
  }

  async say(...messages: SourceMessage[]): Promise<void> {
    for (const message of messages) await this.#link.send(message)
  }

  /** The next message of another kind than `loaded`. */
  async hears(): Promise<DestinationMessage> {
    for (;;) {
      const message = await this.#link.receive()
      if (message.kind !== 'loaded') return message
    }
  }

  async prepare(): Promise<void> {
    await this.say({ kind: 'offer', version: 1, migration: 'm', facts: 'facts' })
    assert.deepEqual(await this.hears(), { kind: 'answered', facts: 'facts' })
    await this.say({ kind: 'prepare' })
    assert.equal((await this.hears()).kind, 'prepared')
  }

  get data(): SourceMessage {
    return { kind: 'data', member: 0, bytes: this.state }
  }

  get end(): End {
    return {
      kind: 'end',
      member: 0,
      bytes: this.state.length,
      digest: `crc32:${crc32(this.state).toString(16).padStart(8, '0')}`,
    }
  }

  /** The link breaks, and the role comes to its end. */
  async breaks(): Promise<void> {
    this.#link.close()
    await this.#run
  }
}

async function stateOf(clock: VirtualClock): Promise<Buffer> {
  await using device = await openDevice(new MockDevice({ ...common, clock, seed: 1n }))
  await device.setState('STOP_COPY')
  const parts = []
  for await (const chunk of device.savingStream.chunks()) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

/** Of the failure for which the destination abdicates. */
function codeOf(message: DestinationMessage): unknown {
  assert.equal(message.kind, 'abdicated')
  return 'error' in message && (message.error as { code?: unknown }).code
}

const yielded: SourceMessage = { kind: 'yielded' }

describe('the side that takes', () => {
  it('runs what is whole and was let go of, and says so', async () => {
    const talk = await Talk.begun()
    await talk.prepare()
    await talk.say(talk.data, yielded, talk.end)
    assert.deepEqual(await talk.hears(), { ...talk.end, kind: 'complete' })
    assert.equal((await talk.hears()).kind, 'running')
    await talk.breaks()
    assert.deepEqual([talk.mock.state, talk.mock.seed], ['RUNNING', 1n])
  })

  const faults: Readonly<Record<string, (talk: Talk) => SourceMessage[]>> = {
    'an end before the source has let go': ({ data, end }) => [data, end],
    'no bytes as data': () => [{ kind: 'data', member: 0, bytes: new Uint8Array(0) }],
    'more data at once than may be': () => [
      { kind: 'data', member: 0, bytes: new Uint8Array(maxDataBytes + 1) },
    ],
    'more side data than may be': () => [
      { kind: 'side-data', member: 0, bytes: new Uint8Array(maxDataBytes + 1) },
    ],
    'side data of a member that is not': () => [{ kind: 'side-data', member: 7, bytes: new Uint8Array(1) }],
    'data of a member that is not': () => [{ kind: 'data', member: 7, bytes: new Uint8Array(1) }],
    'a second offer': () => [{ kind: 'offer', version: 1, migration: 'm', facts: 'facts' }],
    'a second word to prepare': () => [{ kind: 'prepare' }],
    'the word that it has let go twice': () => [yielded, yielded],
    'an end of a device that is none of the set': ({ data, end }) => [data, yielded, { ...end, member: 1 }],
  }

  for (const [what, messages] of Object.entries(faults)) {
    it(`gives up for ${what}, says whose fault it is, and is blank afterwards`, async () => {
      const talk = await Talk.begun()
      await talk.prepare()
      await talk.say(...messages(talk))
      assert.equal(codeOf(await talk.hears()), 'ERR_VFIO_PROTOCOL')
      await talk.breaks()
      assert.deepEqual([talk.mock.state, talk.mock.seed], ['RUNNING', 2n])
    })
  }

  it('gives up for more than may be under way', async () => {
    const slow = new ScriptedDevice()
    slow.onSession = session => (session.writeAnswer = () => new Promise(() => undefined))
    const talk = await Talk.begun(slow)
    await talk.prepare()
    const piece: SourceMessage = { kind: 'data', member: 0, bytes: new Uint8Array(maxDataBytes) }
    for (let bytes = 0; bytes <= windowBytes; bytes += maxDataBytes) await talk.say(piece)
    assert.equal(codeOf(await talk.hears()), 'ERR_VFIO_PROTOCOL')
    await talk.breaks()
    assert.ok(slow.log.includes('RESET'))
  })

  it('gives up when the link breaks before everything has come', async () => {
    const talk = await Talk.begun()
    await talk.prepare()
    await talk.say(talk.data, yielded)
    await talk.breaks()
    assert.deepEqual([talk.mock.state, talk.mock.seed], ['RUNNING', 2n])
  })

  it('leaves a device alone that it was not to prepare', async () => {
    const talk = await Talk.begun()
    const calls = talk.mock.history.length
    await talk.say({ kind: 'offer', version: 1, migration: 'm', facts: 'facts' })
    await talk.hears()
    await talk.breaks()
    const made = talk.mock.history.slice(calls).flatMap(event => (event.kind === 'call' ? [event.call] : []))
    assert.deepEqual(new Set(made), new Set(['getState']))
  })

  it('gives the state back to who asks before it is complete', async () => {
    const talk = await Talk.begun()
    await talk.prepare()
    await talk.say(talk.data, yielded, { kind: 'abort', error: new Error('changed my mind') })
    assert.equal((await talk.hears()).kind, 'abdicated')
    await talk.say(talk.end)
    await talk.breaks()
    assert.deepEqual([talk.mock.state, talk.mock.seed], ['RUNNING', 2n])
  })
})
