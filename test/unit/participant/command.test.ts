// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { commandParticipant, openDevice, type Device } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'
import { moments, type Moment } from '#lib/migration/participant.js'
import { Participation } from '#lib/migration/participation.js'
import { Captured } from '../cli/streams.js'

describe('commandParticipant()', () => {
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

  /** Calls a moment, and answers what its command wrote. */
  async function run(moment: Moment, line: string, limitMs = 10_000): Promise<string> {
    const output = new Captured()
    const clock = devices[0]?.clock ?? assert.fail()
    const one = new Participation(commandParticipant({ [moment]: line }, { output }), {
      clock,
      limits: { [moment]: limitMs },
    })
    const calls: Readonly<Record<Moment, () => Promise<unknown>>> = {
      quiesce: () => one.quiesce(devices),
      stopped: () => one.stopped(devices),
      restored: () => one.restored(devices, []),
      running: () => one.running(devices),
      resumed: () => one.resumed(devices),
      released: () => one.released(devices, 'unknown'),
    }
    await calls[moment]()
    return output.text
  }

  const sides = {
    quiesce: 'source',
    stopped: 'source',
    restored: 'destination',
    running: 'destination',
    resumed: 'source',
    released: 'source',
  } as const

  for (const moment of moments) {
    it(`runs the command of ${moment}, and tells it the moment, the side and its devices`, async () => {
      const line = `echo "$VFIO_MIGRATE_MOMENT $VFIO_MIGRATE_SIDE $VFIO_MIGRATE_DEVICES $VFIO_MIGRATE_OUTCOME"`
      const outcome = moment === 'released' ? 'unknown' : ''
      assert.equal(await run(moment, line), `${moment} ${sides[moment]} a b ${outcome}\n`)
    })
  }

  it('takes what it writes to either output, and gives it nothing to read', async () => {
    assert.equal(await run('quiesce', 'cat; echo one; echo two >&2'), 'one\ntwo\n')
  })

  it('fails the moment by any status but 0, and by a signal', async () => {
    for (const [line, why] of [
      ['exit 3', /failed at 'running': 'exit 3' ended with status 3$/],
      ['no-such-program-here', /'no-such-program-here' ended with status 127$/],
      ['kill -TERM $$', /ended by SIGTERM$/],
    ] as const) {
      await assert.rejects(run('running', line), error => {
        const { code, message } = error as Error & { code: string }
        return code === 'ERR_VFIO_PARTICIPANT' && why.test(message)
      })
    }
  })

  it('kills it at its limit, with what it has started', async () => {
    const output = new Captured()
    const { clock } = devices[0] ?? assert.fail()
    const line = 'sleep 1000 & echo started; wait'
    const participant = commandParticipant({ quiesce: line }, { output })
    const over = new AbortController()
    const moment = participant.quiesce?.({ devices, limitMs: 10_000, signal: over.signal })
    while (output.text === '') await new Promise<void>(resolve => clock.after(1, resolve))
    over.abort()
    // Its output ends with the last process that has it.
    await assert.rejects(Promise.resolve(moment), /ended by SIGKILL/)
  })

  it('tells that it did not end in time', async () => {
    await assert.rejects(run('quiesce', 'sleep 1000', 50), /did not answer 'quiesce' within 50 ms/)
  })

  it('refuses what is no moment or no command line', () => {
    for (const commands of [{ quiesc: 'true' }, { quiesce: '' }, { quiesce: ' ' }, { quiesce: 3 }]) {
      assert.throws(() => commandParticipant(commands as never), TypeError)
    }
  })
})
