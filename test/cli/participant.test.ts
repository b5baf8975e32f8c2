// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { Command, CommanderError } from 'commander'
import { openDevice, type Device } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'
import { participantFrom, type Seat } from '#lib/cli/participant.js'
import { participantOptions, type ParticipantOptions } from '#lib/cli/participant_options.js'
import { Participation } from '#lib/migration/participation.js'
import { capturedIo, contextFor, type CapturedIo } from '../unit/cli/streams.js'
import { Peer } from '../unit/participant/peer.js'

function parse(...words: readonly string[]): ParticipantOptions {
  const command = new Command('move').exitOverride().configureOutput({ outputError: () => undefined })
  for (const option of participantOptions) command.addOption(option)
  return command.parse(words, { from: 'user' }).opts()
}

describe('the participant of the command line', () => {
  let devices: readonly Device[]

  before(async () => {
    devices = [await openDevice(new MockDevice({ name: 'a' }))]
  })

  after(async () => {
    for (const device of devices) await device.close()
  })

  const seat = async (io: CapturedIo, ...words: readonly string[]): Promise<Seat> =>
    await participantFrom(parse(...words), contextFor(io))

  const participation = ({ participant, limits }: Seat): Participation =>
    new Participation(participant, { clock: devices[0]?.clock ?? assert.fail(), limits })

  it('is nobody where nobody is named', async () => {
    using found = await seat(capturedIo())
    assert.deepEqual([found.participant, found.limits], [undefined, {}])
  })

  it('runs a command before the source stops, and others when a side runs; what they write is said to a person', async () => {
    const io = capturedIo()
    const say = 'echo "$VFIO_MIGRATE_MOMENT $VFIO_MIGRATE_DEVICES"'
    using found = await seat(io, '--quiesce', say, '--running', say, '--resumed', say)
    const one = participation(found)
    await one.quiesce(devices)
    await one.stopped(devices)
    await one.running(devices)
    await one.resumed(devices)
    assert.deepEqual([io.stdout.text, io.stderr.text], ['', 'quiesce a\nrunning a\nresumed a\n'])
  })

  it('fails a moment whose command fails', async () => {
    using found = await seat(capturedIo(), '--quiesce', 'exit 2')
    await assert.rejects(participation(found).quiesce(devices), { code: 'ERR_VFIO_PARTICIPANT' })
  })

  it('ends each moment at the limit that is given in seconds', async () => {
    using found = await seat(capturedIo(), '--quiesce', 'sleep 1000', '--moment-limit', '0.05')
    await assert.rejects(participation(found).quiesce(devices), /did not answer 'quiesce' within 50 ms/)
    assert.equal(found.limits.released, 50)
  })

  it('is a process at a socket, which it has greeted by then and leaves at the end', async () => {
    await using peer = await Peer.listen()
    {
      using found = await seat(capturedIo(), '--participant', `unix:${peer.path}`)
      assert.deepEqual([...peer.heard], [{ hello: 'vfio-migrate', version: 1 }])
      await participation(found).quiesce(devices)
      assert.equal(peer.heard.at(-1)?.moment, 'quiesce')
    }
    while (peer.connections > 0) await new Promise(resolve => setImmediate(resolve))
  })

  it('says so where nobody listens', async () => {
    await assert.rejects(seat(capturedIo(), '--participant', 'unix:/nonexistent/socket'), {
      code: 'ERR_VFIO_PARTICIPANT',
    })
  })

  it('carries config space with --pci, after all the others were stopped', async () => {
    await using peer = await Peer.listen()
    const io = capturedIo()
    using found = await seat(io, '--pci', '--participant', `unix:${peer.path}`, '--quiesce', 'echo paused')
    const one = participation(found)
    await one.quiesce(devices)
    assert.equal(io.stderr.text, 'paused\n')
    const [sideData = assert.fail()] = await one.stopped(devices)
    // The lengths of three parts, and the last of them.
    assert.match(Buffer.from(sideData.subarray(12)).toString(), /^\{"version":1,"config":\{"command":2,/)
  })

  it('refuses what is no socket and no time', () => {
    for (const words of [
      ['--participant', '/run/vmm.sock'],
      ['--participant', 'unix:'],
      ['--moment-limit', '0'],
      ['--moment-limit', ' '],
      ['--moment-limit', '10s'],
      ['--moment-limit', '86401'],
    ]) {
      assert.throws(() => parse(...words), CommanderError)
    }
  })
})
