// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { isVfioError, openDevice, type Device } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import {
  maxSideDataBytes,
  moments,
  type Moment,
  type MomentContext,
  type Participant,
} from '#lib/migration/participant.js'
import {
  Participation,
  ParticipantError,
  momentLimitMs,
  type MomentLimits,
} from '#lib/migration/participation.js'

const mebibyte = 2 ** 20

/** Calls a moment as an engine does, with what it takes. */
const callOf: Readonly<Record<Moment, (one: Participation, devices: readonly Device[]) => Promise<unknown>>> =
  {
    quiesce: (one, devices) => one.quiesce(devices),
    stopped: (one, devices) => one.stopped(devices),
    restored: (one, devices) => one.restored(devices, [new Uint8Array([7])]),
    running: (one, devices) => one.running(devices),
    resumed: (one, devices) => one.resumed(devices),
    released: (one, devices) => one.released(devices, 'destination'),
  }

const undoable: readonly Moment[] = ['quiesce', 'stopped', 'restored']

const forever = new Promise<never>(() => undefined)

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error,
  )
}

describe('Participation', () => {
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

  function participation(
    participant: Participant | undefined,
    options: { limits?: MomentLimits; signal?: AbortSignal } = {},
  ): Participation {
    return new Participation(participant, { clock, ...options })
  }

  for (const moment of moments) {
    describe(moment, () => {
      const call = async (one: Participation): Promise<unknown> => await callOf[moment](one, devices)

      it('is awaited, and tells the devices of its side and what belongs to it', async () => {
        const told: unknown[] = []
        const participant = {
          [moment]: async (context: MomentContext & { sideData?: unknown; outcome?: unknown }) => {
            await clock.sleep(250)
            told.push(context.devices, context.limitMs, context.sideData, context.outcome)
          },
        }
        const one = participation(participant)
        const startedMs = clock.now()
        await call(one)
        assert.deepEqual(told, [
          devices,
          10_000,
          moment === 'restored' ? [new Uint8Array([7])] : undefined,
          moment === 'released' ? 'destination' : undefined,
        ])
        assert.deepEqual(one.reports, [{ moment, startedMs, ms: 250 }])
      })

      it('keeps `this`, so that an object of a class can be the participant', async () => {
        class Vmm {
          readonly calls: string[] = []
        }
        Object.defineProperty(Vmm.prototype, moment, {
          value(this: Vmm) {
            this.calls.push(moment)
          },
        })
        const vmm = new Vmm()
        await call(participation(vmm as Participant))
        assert.deepEqual(vmm.calls, [moment])
      })

      it('fails with what is thrown as the cause', async () => {
        const cause = new Error('no such bridge')
        const one = participation({
          [moment]: () => {
            throw cause
          },
        })
        const error = await failure(call(one))
        assert.ok(error instanceof ParticipantError && isVfioError(error))
        assert.equal(error.code, 'ERR_VFIO_PARTICIPANT')
        assert.equal(error.moment, moment)
        assert.equal(error.cause, cause)
        assert.equal(error.message, `The participant failed at '${moment}': no such bridge`)
        assert.equal(one.reports[0]?.error, error)
      })

      it('fails with what it rejects with, be that no Error', async () => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that is what is tested
        const one = participation({ [moment]: () => Promise.reject('full') })
        const error = await failure(call(one))
        assert.ok(error instanceof ParticipantError)
        assert.equal(error.message, `The participant failed at '${moment}': full`)
        assert.equal(error.cause, 'full')
      })

      it('ends at its limit, and then tells the participant by its signal', async () => {
        let reason: unknown
        const hanging = {
          [moment]: ({ signal }: { signal: AbortSignal }) => {
            signal.addEventListener('abort', () => {
              reason = signal.reason
            })
            return forever
          },
        }
        const one = participation(hanging, { limits: { [moment]: 1500 } })
        const startedMs = clock.now()
        const error = await failure(call(one))
        assert.ok(error instanceof ParticipantError)
        assert.equal(error.message, `The participant did not answer '${moment}' within 1500 ms`)
        assert.equal(error.moment, moment)
        assert.equal(error.cause, undefined)
        assert.equal(reason, error)
        assert.deepEqual(one.reports, [{ moment, startedMs, ms: 1500, error }])
      })

      it('has ten seconds unless told', async () => {
        const startedMs = clock.now()
        await failure(call(participation({ [moment]: () => forever })))
        assert.equal(clock.now() - startedMs, 10_000)
        assert.equal(momentLimitMs, 10_000)
      })

      it('does not care for an answer that comes late, or a failure', async () => {
        const late = (settle: () => void): Participant => ({
          [moment]: async () => {
            await clock.sleep(2000)
            settle()
          },
        })
        let answered = 0
        const limits = { [moment]: 1000 }
        const answers = participation(
          late(() => answered++),
          { limits },
        )
        const fails = participation(
          late(() => {
            answered++
            throw new Error('late')
          }),
          { limits },
        )
        await Promise.all([failure(call(answers)), failure(call(fails))])
        await clock.sleep(3000)
        assert.equal(answered, 2)
        assert.equal(answers.reports.length, 1)
        assert.match(String(fails.reports[0]?.error), /within 1000 ms/)
      })

      it('takes its limit back, and fires no signal, once it is over', async () => {
        let signal: AbortSignal | undefined
        await call(
          participation({
            [moment]: (context: { signal: AbortSignal }) => {
              signal = context.signal
            },
          }),
        )
        await clock.sleep(20_000)
        assert.equal(signal?.aborted, false)
      })

      it('is over at once where the participant has no function for it', async () => {
        const other = moments[(moments.indexOf(moment) + 1) % moments.length] ?? 'quiesce'
        const one = participation({ [other]: () => assert.fail('called') })
        await call(one)
        await call(participation(undefined))
        assert.deepEqual(one.reports, [])
      })

      it(
        undoable.includes(moment) ? 'is cancelled by the signal' : 'is not cancelled: what is done is done',
        async () => {
          const controller = new AbortController()
          const reason = new Error('enough')
          let seen: AbortSignal | undefined
          const one = participation(
            {
              [moment]: async ({ signal }: { signal: AbortSignal }) => {
                seen = signal
                controller.abort(reason)
                await clock.sleep(100)
                throw new Error('what it makes of it')
              },
            },
            { signal: controller.signal },
          )
          const error = await failure(call(one))
          if (!undoable.includes(moment)) {
            assert.equal(seen?.aborted, false)
            assert.match(String(error), /what it makes of it/)
            return
          }
          assert.equal((error as Error).name, 'AbortError')
          assert.equal((error as Error).cause, reason)
          assert.equal(seen?.reason, error)
          assert.equal(one.reports[0]?.error, error)
        },
      )

      it(
        undoable.includes(moment)
          ? 'is not begun when the signal has fired'
          : 'is begun, too, when the signal has fired',
        async () => {
          let calls = 0
          const one = participation(
            {
              [moment]: () => {
                calls++
              },
            },
            { signal: AbortSignal.abort() },
          )
          if (undoable.includes(moment)) {
            assert.equal(((await failure(call(one))) as Error).name, 'AbortError')
          } else await call(one)
          assert.equal(calls, undoable.includes(moment) ? 0 : 1)
          assert.equal(one.quiesced, false)
        },
      )
    })
  }

  it('rejects with an AbortError, whatever the participant makes of the cancellation at once', async () => {
    const controller = new AbortController()
    const one = participation(
      {
        quiesce: ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(new Error('mine')))
            controller.abort()
          }),
      },
      { signal: controller.signal },
    )
    assert.equal(((await failure(one.quiesce(devices))) as Error).name, 'AbortError')
  })

  it('owes `resumed` once it has told the participant to quiesce, also where that failed', async () => {
    const one = participation({ quiesce: () => Promise.reject(new Error('busy')) })
    assert.equal(one.quiesced, false)
    await failure(one.quiesce(devices))
    assert.equal(one.quiesced, true)
  })

  describe('side data', () => {
    const stopped = async (answer: unknown): Promise<readonly Uint8Array[]> =>
      await participation({ stopped: () => answer } as Participant).stopped(devices)

    it('is what the participant answers for each device, in memory of its own', async () => {
      const mine = Buffer.from('abcdef').subarray(2, 4)
      const [first, second] = await stopped([mine, new Uint8Array([1])])
      mine.fill(0)
      assert.deepEqual(first, new Uint8Array([0x63, 0x64]))
      assert.equal(first.buffer.byteLength, 2)
      assert.deepEqual(second, new Uint8Array([1]))
    })

    it('is empty for a device of which nothing is answered', async () => {
      const empty = new Uint8Array(0)
      for (const answer of [undefined, [], [undefined], [undefined, empty]]) {
        assert.deepEqual(await stopped(answer), [empty, empty])
      }
      assert.deepEqual(await participation(undefined).stopped(devices), [empty, empty])
    })

    it('may have a mebibyte for each device, and not a byte more', async () => {
      assert.equal(maxSideDataBytes, mebibyte)
      const most = new Uint8Array(mebibyte).fill(3)
      const [, second] = await stopped([most, most])
      assert.deepEqual(second, most)
      const error = await failure(stopped([most, new Uint8Array(mebibyte + 1)]))
      assert.ok(error instanceof ParticipantError)
      assert.equal(
        error.message,
        "The participant failed at 'stopped': the side data of 'b' has 1048577 bytes; at most 1048576 travel beside a device's state",
      )
    })

    it('is refused where it is not bytes, or for more devices than there are', async () => {
      for (const [answer, why] of [
        ['abc', /a list with a Uint8Array/],
        [null, /a list with a Uint8Array/],
        [new Uint8Array(3), /a list with a Uint8Array/],
        [['abc'], /the side data of 'a' is no Uint8Array/],
        [[undefined, [1, 2]], /the side data of 'b' is no Uint8Array/],
        [[new Uint16Array(1)], /the side data of 'a' is no Uint8Array/],
        [[undefined, undefined, undefined], /for 3 devices, where 2 are moved/],
      ] as const) {
        const error = await failure(stopped(answer))
        assert.ok(error instanceof ParticipantError)
        assert.equal(error.moment, 'stopped')
        assert.match(error.message, why)
      }
    })
  })

  it('refuses what is no participant before anything is called', () => {
    class Vmm {
      pause(): void {
        assert.fail('called')
      }
    }
    for (const [value, why] of [
      [null, /a participant is an object/],
      ['unix:/run/vmm', /a participant is an object/],
      [() => undefined, /a participant is an object/],
      [{ quiesc: () => undefined }, /participant\.quiesc is no moment/],
      [{ quiesce: true }, /participant\.quiesce must be a function/],
      [{ resumed: null }, /participant\.resumed must be a function/],
      [Promise.resolve({}), /has none of them/],
      [new Vmm(), /has none of them/],
    ] as const) {
      const make = (): Participation => participation(value as unknown as Participant)
      assert.throws(make, error => error instanceof TypeError && why.test(error.message))
    }
  })

  it('refuses limits that are none', () => {
    for (const [limits, type, why] of [
      [{ stop: 3 }, TypeError, /'stop' is no moment/],
      [{ running: '3' }, TypeError, /the limit of 'running' must be a number/],
      [{ running: 0 }, RangeError, /more than 0 ms: 0/],
      [{ running: Infinity }, RangeError, /finite/],
      [{ running: NaN }, RangeError, /finite/],
    ] as const) {
      const make = (): Participation => participation({}, { limits: limits as unknown as MomentLimits })
      assert.throws(make, error => error instanceof type && why.test(error.message))
    }
  })
})
