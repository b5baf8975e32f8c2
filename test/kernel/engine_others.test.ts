// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import {
  migrate,
  MigrationError,
  type Device,
  type MigrateOptions,
  type MigrationReport,
} from '#lib/index.js'
import { openBottle, openBottledPair, type BottledPair } from './bottle.ts'
import { eventually } from './bottle_wait.ts'
import type { BottledFunction, Digest } from './bottled.ts'
import { runChild, startChild } from './child.ts'
import { checkOneOwner, checkReport } from './engine.ts'
import { participantIova, startParticipant } from './participant.ts'

const size = 64 * 2 ** 10

const fdsOf = (...devices: readonly Device[]): number[] =>
  devices.flatMap(device => Object.values(device.lend()) as number[])

const resetsOf = async ({ from, to }: BottledPair): Promise<number[]> => [
  await from.resets(),
  await to.resets(),
]

/** What a process came to that migrated lent devices. */
interface Told {
  readonly report: MigrationReport
  readonly code?: string
}

/** Has another process migrate the devices of this one. */
async function migrateElsewhere(
  { source, destination }: BottledPair,
  options: Partial<MigrateOptions> = {},
): Promise<Told> {
  const { code, stdout, stderr } = await runChild(
    'migrate_lent',
    [JSON.stringify(options)],
    fdsOf(source, destination),
  )
  assert.deepEqual([code, stderr], [0, ''])
  return JSON.parse(stdout) as Told
}

/** Another process, to which the device is lent, resets it or leads it somewhere. */
async function meddle(device: Device, act: string): Promise<void> {
  const { code, stderr } = await runChild('meddle', [act], fdsOf(device))
  assert.deepEqual([code, stderr], [0, ''])
}

/** A migration that is to fail. */
async function failure(migration: Promise<unknown>): Promise<MigrationError> {
  const error: unknown = await migration.then(
    () => assert.fail('it migrated'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof MigrationError, String(error))
  return error
}

const codeOf = ({ cause }: Error): string | undefined => (cause as { code?: string } | undefined)?.code

describe('migrate() of devices that another process lends', () => {
  it('moves the state, and leaves both to their lender without a reset', async () => {
    await using pair = await openBottledPair({ size, rate: size })
    const { from, to, source, destination } = pair
    await to.set({ rate: 0 })
    const { report, code } = await migrateElsewhere(pair)
    assert.equal(code, undefined)
    checkReport(report)
    assert.deepEqual(await to.digest(), await from.digest())
    assert.deepEqual([await source.state(), await destination.state()], ['STOP', 'RUNNING'])
    assert.deepEqual(await resetsOf(pair), [1, 1])
    await to.step(1)
    await checkOneOwner((await from.digest()).seed, [from, to])
  })

  it('leaves both stuck where it failed, rather than take from the lender what they hold', async () => {
    await using pair = await openBottledPair({ size })
    const { from, source, destination } = pair
    await from.step(7)
    const before = await from.digest()
    await from.fault('SAVE', { status: 1 })
    const { report, code } = await migrateElsewhere(pair)
    assert.equal(code, 'ENODEV')
    const [left] = report.devices
    assert.deepEqual(
      [left?.source, left?.destination].map(side => [side?.wasReset, side?.recovery]),
      [
        [false, 'reset'],
        [false, 'reset'],
      ],
    )
    assert.deepEqual(await resetsOf(pair), [1, 1])
    assert.deepEqual([await source.state(), await destination.state()], ['PRE_COPY', 'RESUMING'])
    // Nothing but its session is spoilt.
    assert.deepEqual(await from.digest(), before)
    assert.ok(await from.isRunning())
    await source.reset()
    await destination.reset()
    checkReport(await migrate({ from: source, to: destination }))
  })

  it('resets both where it failed and the lender wants it', async () => {
    await using pair = await openBottledPair({ size })
    const { from, source, destination } = pair
    await from.fault('SAVE', { status: 1 })
    const { report } = await migrateElsewhere(pair, { onStuck: 'reset' })
    const [left] = report.devices
    assert.deepEqual([left?.source.wasReset, left?.destination.wasReset], [true, true])
    assert.deepEqual(await resetsOf(pair), [2, 2])
    assert.deepEqual([await source.state(), await destination.state()], ['RUNNING', 'RUNNING'])
  })

  it('goes back to a participant that has memory and interrupts, and its beats go on', async () => {
    await using bottle = await openBottle({ size, rate: size })
    const [from, to] = bottle.functions as [BottledFunction, BottledFunction]
    await using vmm = await startParticipant([from.address, to.address])
    for (const order of ['map 0', 'master 0 1', 'irqs 0']) await vmm.order(order)
    await from.setWindow({ iova: participantIova, vector: 0 })
    const before = await vmm.nextBeat(0)
    await to.fault('LOAD', { status: 1 })
    const program = fileURLToPath(new URL('../../dist-test/kernel/child/migrate_lent.js', import.meta.url))
    assert.equal(await vmm.lend([process.execPath, program]), 0)
    const after = await vmm.nextBeat(0)
    assert.equal(after?.seed, before?.seed)
    assert.ok(after && before && after.epoch > before.epoch && after.counter > before.counter)
    assert.deepEqual([await from.resets(), await to.resets()], [1, 1])
    await checkOneOwner(after.seed, [from, to])
  })
})

describe('two processes that migrate one device', () => {
  const again = ({ source, destination }: BottledPair): Promise<MigrationReport> =>
    migrate({ from: source, to: destination })

  /** What the killed left can be taken up by hand, and then it migrates. */
  async function takeUp(pair: BottledPair, { digest }: Digest): Promise<void> {
    const { from, to, source, destination } = pair
    await assert.rejects(again(pair), { code: 'ERR_VFIO_REFUSED' })
    await source.setState('RUNNING')
    await destination.reset()
    const before = await from.digest()
    assert.equal(before.digest, digest)
    checkReport(await again(pair))
    await to.step(1)
    await checkOneOwner(before.seed, [from, to])
  }

  for (const [on, side, state] of [
    ['SUSPEND_INITIATOR', 'from', 'PRE_COPY_P2P'],
    ['SUSPEND_RESPONDER', 'from', 'STOP_COPY'],
    ['LOAD', 'to', 'PRE_COPY'],
  ] as const) {
    it(`are told of each other, until the ${on} of one that was killed has ended`, async () => {
      await using pair = await openBottledPair({ size })
      const { from, source, destination } = pair
      await from.step(7)
      const before = await from.digest()
      const isLocked = async (pid: number): Promise<void> =>
        assert.rejects(again(pair), {
          code: 'ERR_VFIO_LOCKED',
          message: new RegExp(`'${source.name}'.*process ${pid} `),
        })

      await pair[side].fault(on, 'hold')
      const other = startChild('migrate_lent', ['{}'], fdsOf(source, destination))
      await pair[side].isHeld(on)
      await isLocked(other.pid)
      other.kill('SIGKILL')
      await isLocked(other.pid)
      await pair[side].release()
      assert.equal((await other.ended).signal, 'SIGKILL')
      // The call has gone on to its end, and nobody behind it.
      assert.deepEqual([await source.state(), await destination.state()], [state, 'RESUMING'])
      await takeUp(pair, before)
    })
  }

  it('do not hinder each other when the one that was killed only waited', async () => {
    await using pair = await openBottledPair({ size })
    const { from, source, destination } = pair
    await from.step(7)
    const before = await from.digest()
    await from.fault('SAVE', 'hold')
    const other = startChild('migrate_lent', ['{}'], fdsOf(source, destination))
    await from.isHeld('SAVE')
    other.kill('SIGKILL')
    assert.equal((await other.ended).signal, 'SIGKILL')
    await assert.rejects(again(pair), { code: 'ERR_VFIO_REFUSED' })
    await from.release()
    await takeUp(pair, before)
  })
})

describe('a source that another process', () => {
  const quietly = { participantLimits: { quiesce: 50_000 } } as const

  const reset = (source: Device): Promise<void> => meddle(source, 'reset')

  /** A command of the firmware is under way meanwhile. */
  async function overtake(source: Device, from: BottledFunction): Promise<void> {
    await from.fault('QUERY', 'hold')
    await from.isHeld('QUERY')
    await reset(source)
    await from.release()
  }

  type Act = (source: Device, from: BottledFunction) => Promise<void>
  const acts: readonly (readonly [when: string, act: Act, codes: readonly string[]])[] = [
    // By chance of which call met the device first: one on the data_fd answers ENODEV once it is dead, and EINVAL in RUNNING,
    // and one that waited for the firmware EIO.
    ['while it gives', reset, ['ENODEV', 'EINVAL', 'EIO', 'ERR_VFIO_SESSION_ENDED', 'ERR_VFIO_STATE_MOVED']],
    ['while it gives, and waits for its firmware,', overtake, ['EIO']],
  ]
  for (const [when, act, codes] of acts) {
    it(`resets ${when} is left as that has left it`, async () => {
      await using pair = await openBottledPair({ size })
      const { from, to, source, destination } = pair
      // Else the loop would leave no processor to the other process.
      await from.set({ latency: { QUERY: 20_000 } })
      await from.step(7)
      let acting: Promise<void> | undefined
      const error = await failure(
        migrate({
          from: source,
          to: destination,
          onProgress: ({ kind }) => {
            if (kind === 'round') acting ??= act(source, from)
          },
          policy: () => 'continue',
        }),
      )
      await acting
      const code = codeOf(error) ?? ''
      assert.ok(codes.includes(code), code)
      assert.equal(error.report.outcome, 'source')
      const [moved] = error.report.devices
      assert.deepEqual([moved?.source.wasReset, moved?.destination.wasReset], [false, true])
      assert.deepEqual(await resetsOf(pair), [2, 2])
      assert.deepEqual([await source.state(), await destination.state()], ['RUNNING', 'RUNNING'])
      assert.equal((await from.digest()).epoch, 0n)
      assert.deepEqual([await from.isRunning(), (await to.digest()).epoch], [true, 0n])
    })
  }

  for (const [act, state, resets] of [
    ['reset', 'RUNNING', 2],
    ['RUNNING', 'RUNNING', 1],
    ['PRE_COPY_P2P', 'PRE_COPY_P2P', 1],
    ['STOP', 'STOP', 1],
  ] as const) {
    const what = act === 'reset' ? 'resets' : `leads to ${act}`
    it(`${what} before it is stopped is not touched any more`, async () => {
      await using pair = await openBottledPair({ size })
      const { from, to, source, destination } = pair
      await from.step(7)
      const before = await from.digest()
      const error = await failure(
        migrate({
          from: source,
          to: destination,
          participant: { quiesce: () => meddle(source, act) },
          ...quietly,
        }),
      )
      assert.equal(codeOf(error), 'ERR_VFIO_STATE_MOVED')
      assert.equal(error.report.outcome, 'source')
      assert.equal(error.report.devices[0]?.source.wasReset, false)
      assert.deepEqual([await source.state(), await destination.state()], [state, 'RUNNING'])
      assert.deepEqual(await resetsOf(pair), [resets, 2])
      if (act !== 'reset') assert.deepEqual(await from.digest(), before)
      assert.equal((await to.runs()).filter(({ seed }) => seed === before.seed).length, 0)
      await source.setState('RUNNING')
      await eventually(() => from.isRunning())
    })
  }
})

describe('a migration that has moved everything', () => {
  it("is the destination's, also when another process resets the source before that runs", async () => {
    await using pair = await openBottledPair({ size })
    const { from, to, source, destination } = pair
    await from.step(7)
    const before = await from.digest()
    const participant = { restored: () => meddle(source, 'reset') }
    const limits = { participantLimits: { restored: 50_000 } }
    const report = await migrate({ from: source, to: destination, participant, ...limits })
    assert.equal(report.outcome, 'destination')
    assert.deepEqual(await to.digest(), before)
    const { error } = report.devices[0]?.source ?? {}
    assert.equal((error as { code?: string } | undefined)?.code, 'ERR_VFIO_STATE_MOVED')
    assert.deepEqual([await source.state(), await destination.state()], ['RUNNING', 'RUNNING'])
    assert.deepEqual(await resetsOf(pair), [2, 1])
    await to.step(1)
    await checkOneOwner(before.seed, [from, to])
  })

  it('runs neither side when another process resets the destination before that runs, and the source has all', async () => {
    await using pair = await openBottledPair({ size })
    const { from, to, source, destination } = pair
    await from.step(7)
    const before = await from.digest()
    const participant = { restored: () => meddle(destination, 'reset') }
    const limits = { participantLimits: { restored: 50_000 } }
    const error = await failure(migrate({ from: source, to: destination, participant, ...limits }))
    // RUNNING is what a reset leaves, and what it would be in if somebody had made it run with what it held.
    assert.deepEqual([codeOf(error), error.report.outcome], ['ERR_VFIO_STATE_MOVED', 'destination'])
    assert.deepEqual([await source.state(), await destination.state()], ['STOP', 'RUNNING'])
    assert.deepEqual(await resetsOf(pair), [1, 2])
    assert.deepEqual(await from.digest(), before)
    // Who knows that it was a reset leads the source back.
    await source.setState('RUNNING')
    await from.step(1)
    await checkOneOwner(before.seed, [from, to])
  })
})
