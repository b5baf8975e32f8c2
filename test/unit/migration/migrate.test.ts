// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import {
  MigrationError,
  migrate,
  openDevice,
  type MigrateOptions,
  type MigrationReport,
  type VfioSystemError,
} from 'vfio-migrate'
import { VirtualClock } from 'vfio-migrate/mock'
import type { Origin } from '#lib/backend/seam.js'
import { ScriptedDevice } from '../device/scripted_device.js'
import { pairOf } from './pair.js'

const ENOMSG = -42

interface Pair {
  source: ScriptedDevice
  destination: ScriptedDevice
  options: MigrateOptions
}

/** Two devices on which the log begins when they have been opened. One round of pre-copy, unless told. */
async function pair({
  origin = 'opened',
  ...facts
}: { origin?: Origin; state?: number; flags?: number } = {}): Promise<Pair> {
  const source = Object.assign(new ScriptedDevice('source', origin), facts)
  const destination = new ScriptedDevice('destination', origin)
  const options = { from: await openDevice(source), to: await openDevice(destination), maxRounds: 1 }
  source.log.length = destination.log.length = 0
  return { source, destination, options }
}

/** Answers the reads of the source's session one after another. */
async function feed(source: ScriptedDevice, ...answers: (string | number)[]): Promise<void> {
  while (source.sessions.length === 0) await new Promise(resolve => setImmediate(resolve))
  for (const answer of answers) {
    const read = await source.session.nextRead()
    if (typeof answer === 'string') read.answer(answer.length, source.arc, answer)
    else read.answer(answer, source.arc)
  }
}

/** The SETs, writes, precopy questions and resets, in order. */
const calls = (device: ScriptedDevice): string[] => device.log.filter(entry => entry !== 'GET')

async function failure(migration: Promise<MigrationReport>): Promise<MigrationError> {
  const error: unknown = await migration.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(error instanceof MigrationError, String(error))
  return error
}

describe('migrate()', () => {
  it('loads the initial bytes while the source runs, the rest when it has stopped, and runs the destination before the source is let go', async () => {
    const { source, destination, options } = await pair()
    const fed = feed(source, 'head', 'inc', ENOMSG, 'tail', 0)
    const report = await migrate(options)
    await fed
    assert.deepEqual(calls(destination), [
      'SET 5',
      'SET 1',
      'SET 4',
      'write 4',
      'write 3',
      'write 4',
      'SET 1',
      'SET 5',
      'SET 2',
    ])
    assert.deepEqual(calls(source), ['SET 6', 'precopyInfo', 'SET 7', 'SET 3', 'SET 1'])
    assert.equal(Buffer.concat(destination.session.written).toString(), 'headinctail')
    assert.deepEqual([report.bytes, report.precopyBytes, report.rounds.length], [11, 7, 1])
    assert.deepEqual([pairOf(report).source.state, pairOf(report).destination.state], ['STOP', 'RUNNING'])
  })

  it('asks on while the driver has initial bytes: a device that begins anew', async () => {
    const { source, options } = await pair()
    source.onSession = session => (session.info = { result: 0, initialBytes: 2, dirtyBytes: 0, flags: 0 })
    const fed = feed(source, 'a')
      .then(() => {
        source.session.info = { result: 0, initialBytes: 2, dirtyBytes: 0, flags: 1 }
        return feed(source, ENOMSG, 'bc', ENOMSG)
      })
      .then(() => feed(source, 'd', 0))
    const report = await migrate({ ...options, maxRounds: 9 })
    await fed
    assert.deepEqual([report.bytes, report.rounds.length, pairOf(report).restarts], [4, 2, 1])
  })

  it('does not let a source run that is stopped, nor one loose that is in RUNNING_P2P', async () => {
    const stopped = await pair({ state: 1 })
    const [report] = await Promise.all([migrate(stopped.options), feed(stopped.source, 'all', 0)])
    assert.deepEqual(calls(stopped.source), ['SET 3', 'SET 1'])
    assert.equal(report.precopyBytes, 0)

    const quiet = await pair({ state: 5 })
    await Promise.all([migrate(quiet.options), feed(quiet.source, 'a', ENOMSG, 'b', 0)])
    assert.deepEqual(calls(quiet.source), ['SET 7', 'precopyInfo', 'SET 3', 'SET 1'])
  })

  it('uses no pre-copy on a device that has none', async () => {
    const { source, options } = await pair({ flags: 3 })
    await Promise.all([migrate(options), feed(source, 'all', 0)])
    assert.deepEqual(calls(source), ['SET 5', 'SET 1', 'SET 3', 'SET 1'])
  })

  it('runs the source again, and makes the destination blank, when the destination refuses a write', async () => {
    const { source, destination, options } = await pair()
    const fed = feed(source, 'head')
    destination.onSession = session => (session.writeAnswer = () => -22)
    const { report, cause, recovery } = await failure(migrate(options))
    await fed
    assert.deepEqual([report.outcome, recovery], ['source', 'none'])
    const { source: left, destination: blank } = pairOf(report)
    assert.deepEqual([left.state, left.wasReset, left.recovery], ['RUNNING', false, 'none'])
    assert.deepEqual([blank.state, blank.wasReset, blank.recovery], ['RUNNING', true, 'none'])
    assert.equal((cause as NodeJS.ErrnoException).code, 'EINVAL')
    assert.deepEqual(calls(source), ['SET 6', 'precopyInfo', 'SET 2'])
    assert.deepEqual(calls(destination).slice(-2), ['write 4', 'RESET'])
  })

  it('leaves the destination in RESUMING where it is lent, or told to', async () => {
    for (const [origin, onStuck] of [
      ['lent', undefined],
      ['opened', 'leave'],
    ] as const) {
      const { source, destination, options } = await pair({ origin })
      const fed = feed(source, 'head')
      destination.onSession = session => (session.writeAnswer = () => -22)
      const { report, recovery } = await failure(migrate({ ...options, ...(onStuck && { onStuck }) }))
      await fed
      assert.equal(recovery, 'reset')
      const { source: left, destination: stuck } = pairOf(report)
      assert.deepEqual([left.state, left.recovery], ['RUNNING', 'none'])
      assert.deepEqual([stuck.state, stuck.wasReset, stuck.recovery], ['RESUMING', false, 'reset'])
      assert.ok(!calls(destination).includes('RESET'))
    }
  })

  it('resets a lent device where it is told to', async () => {
    const { source, destination, options } = await pair({ origin: 'lent' })
    const fed = feed(source, 'head')
    destination.onSession = session => (session.writeAnswer = () => -22)
    const { report } = await failure(migrate({ ...options, onStuck: 'reset' }))
    await fed
    assert.deepEqual(
      [pairOf(report).destination.state, pairOf(report).destination.wasReset],
      ['RUNNING', true],
    )
  })

  it('runs the source again when the destination does not leave RESUMING', async () => {
    const { source, destination, options } = await pair()
    destination.onSession = () => destination.failures.set(1, -22)
    const fed = feed(source, 'a', ENOMSG, 'b', 0)
    const { report, cause } = await failure(migrate(options))
    await fed
    assert.deepEqual((cause as VfioSystemError).failedArc, { from: 'RESUMING', to: 'STOP' })
    const { source: left, destination: blank } = pairOf(report)
    assert.deepEqual([left.state, blank.state, blank.wasReset], ['RUNNING', 'RUNNING', true])
    assert.deepEqual(calls(source), ['SET 6', 'precopyInfo', 'SET 7', 'SET 3', 'SET 1', 'SET 5', 'SET 2'])
  })

  it('runs the source again, and only then resets, when no arc out of STOP succeeded', async () => {
    const { source, destination, options } = await pair()
    destination.onSession = () => destination.failures.set(5, -5)
    const fed = feed(source, 'a', ENOMSG, 'b', 0)
    const { report } = await failure(migrate(options))
    await fed
    const { source: left, destination: blank } = pairOf(report)
    assert.deepEqual([report.outcome, left.state], ['source', 'RUNNING'])
    assert.deepEqual([blank.state, blank.wasReset], ['RUNNING', true])
  })

  it('gives the state to a destination that may have run: RUNNING_P2P was reached, RUNNING was not', async () => {
    const { source, destination, options } = await pair()
    destination.failures.set(2, -5)
    const fed = feed(source, 'a', ENOMSG, 'b', 0)
    const { report, cause } = await failure(migrate(options))
    await fed
    assert.equal((cause as VfioSystemError).code, 'EIO')
    const { source: left, destination: taken } = pairOf(report)
    assert.equal(report.outcome, 'destination')
    assert.deepEqual([left.state, taken.state, taken.wasReset], ['STOP', 'RUNNING_P2P', false])
    assert.equal((taken.error as VfioSystemError).code, 'EIO')
    assert.deepEqual(calls(source), ['SET 6', 'precopyInfo', 'SET 7', 'SET 3', 'SET 1'])
    assert.ok(![...calls(source), ...calls(destination)].includes('RESET'))
  })

  it('reads nothing more of a poisoned source, and resets it: it was opened here', async () => {
    const { source, options } = await pair()
    source.failures.set(3, -5)
    const fed = feed(source, 'a', ENOMSG)
    const { report } = await failure(migrate(options))
    await fed
    const { source: blank } = pairOf(report)
    assert.deepEqual([blank.state, blank.wasReset, blank.recovery], ['RUNNING', true, 'none'])
    assert.deepEqual([source.session.reads.length, source.session.closed], [0, true])
    assert.equal(calls(source).at(-1), 'RESET')
  })

  it('does not reset a poisoned source that is lent, and says that it needs that', async () => {
    const { source, destination, options } = await pair({ origin: 'lent' })
    source.failures.set(3, -5)
    const fed = feed(source, 'a', ENOMSG)
    const { report } = await failure(migrate(options))
    await fed
    const { source: stuck } = pairOf(report)
    assert.deepEqual([stuck.state, stuck.wasReset, stuck.recovery], [undefined, false, 'reset'])
    assert.ok(![...calls(source), ...calls(destination)].includes('RESET'))
  })

  it('refuses a source that gives nothing', async () => {
    const { source, options } = await pair()
    const fed = feed(source, ENOMSG, 0)
    const error = await failure(migrate(options))
    await fed
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ERR_VFIO_INCOMPLETE')
    assert.equal(pairOf(error.report).source.state, 'RUNNING')
  })

  it('refuses a source that is being saved, or a destination that is being loaded, before anything is touched', async () => {
    for (const [side, state] of [
      ['source', 6],
      ['source', 3],
      ['destination', 4],
      ['destination', 6],
    ] as const) {
      const devices = await pair()
      devices[side].state = state
      await assert.rejects(migrate(devices.options), { code: 'ERR_VFIO_REFUSED' })
      assert.deepEqual([calls(devices.source), calls(devices.destination)], [[], []])
    }
  })

  it('throws a TypeError for two devices that live by two clocks, before anything is touched', async () => {
    const { source, destination, options } = await pair()
    const { name, driver, origin, via, calls: same } = destination
    const to = await openDevice({ name, driver, origin, via, clock: new VirtualClock(), calls: same })
    source.log.length = destination.log.length = 0
    await assert.rejects(migrate({ ...options, to }), { name: 'TypeError', message: /two clocks/ })
    assert.deepEqual([source.log, destination.log], [[], []])
  })

  it('refuses two fds of one device, and puts it back', async () => {
    const one = new ScriptedDevice('fd:7', 'lent')
    const from = await openDevice(one)
    const { driver, origin, via, clock, calls: same } = one
    const to = await openDevice({ name: 'fd:8', driver, origin, via, clock, calls: same })
    await assert.rejects(migrate({ from, to }), { code: 'ERR_VFIO_REFUSED', message: /one device/ })
    assert.equal(one.state, 2)
    assert.deepEqual(calls(one), ['SET 5', 'SET 1', 'SET 5', 'SET 2'])
  })

  it('has happened once the destination runs: a source that does not stop is reported', async () => {
    const { source, options } = await pair()
    source.failures.set(1, -5)
    const fed = feed(source, 'a', ENOMSG, 'b', 0)
    const report = await migrate(options)
    await fed
    assert.equal(pairOf(report).destination.state, 'RUNNING')
    assert.deepEqual([pairOf(report).source.state, pairOf(report).source.recovery], [undefined, 'reset'])
    assert.equal((pairOf(report).source.error as NodeJS.ErrnoException).code, 'EIO')
  })

  it('stops asking when two rounds bring nothing: what was announced need not come', async () => {
    const { source, options } = await pair()
    source.onSession = session => (session.info = { result: 0, initialBytes: 9, dirtyBytes: 0, flags: 0 })
    const fed = feed(source, 'a', ENOMSG, 'b', ENOMSG, ENOMSG, ENOMSG, 'c', 0)
    const report = await migrate({ ...options, maxRounds: 9 })
    await fed
    assert.deepEqual([report.rounds.length, report.bytes], [4, 3])
  })

  it('ends with what onProgress throws while that can be undone, and not after', async () => {
    const early = await pair()
    const fed = feed(early.source, 'a')
    const onFirstBytes: MigrateOptions['onProgress'] = ({ kind }) => {
      if (kind === 'bytes') throw new Error('from the callback')
    }
    const { cause, report: taken } = await failure(migrate({ ...early.options, onProgress: onFirstBytes }))
    await fed
    assert.equal((cause as Error).message, 'from the callback')
    assert.deepEqual([taken.outcome, pairOf(taken).source.state], ['source', 'RUNNING'])

    const late = await pair()
    const onProgress: MigrateOptions['onProgress'] = progress => {
      if (progress.kind === 'arcs' && progress.arcs.at(-1)?.to === 'RUNNING')
        throw new Error('from the callback')
    }
    const fedLate = feed(late.source, 'a', ENOMSG, 'b', 0)
    const report = await migrate({ ...late.options, onProgress })
    await fedLate
    assert.deepEqual([pairOf(report).source.state, pairOf(report).destination.state], ['STOP', 'RUNNING'])
  })

  it('refuses a device as its own destination, before anything is touched', async () => {
    const { source, options } = await pair()
    await assert.rejects(migrate({ from: options.from, to: options.from }), { code: 'ERR_VFIO_REFUSED' })
    assert.deepEqual(calls(source), [])
  })

  it('runs the source again when it is aborted while it waits for data', async () => {
    const { source, options } = await pair()
    const controller = new AbortController()
    const fed = feed(source, 'a').then(() => controller.abort('enough'))
    const error = await failure(migrate({ ...options, signal: controller.signal }))
    await fed
    assert.equal((error.cause as Error).name, 'AbortError')
    assert.equal(pairOf(error.report).source.state, 'RUNNING')
  })
})
