// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { type Device, openDevice } from '../contract/device.ts'
import { flag, said } from '../contract/numbers.ts'
import type { Pair } from './pair.ts'
import type { Participant } from './participant.ts'

/** A proof that state is where it belongs, and how much of it has moved in which time. */
export interface Move {
  readonly name: string
  readonly flags: number
  readonly run: (pair: Pair, participant: Participant) => Promise<string>
}

interface Sides {
  readonly source: Device
  readonly destination: Device
  /** Gives the source state that neither device had, and answers what is read of it. */
  write(): Promise<string>
  readSource(): Promise<string>
  readDestination(): Promise<string>
}

async function withSides(
  pair: Pair,
  participant: Participant,
  body: (sides: Sides) => Promise<string>,
): Promise<string> {
  await using source = await openDevice(pair)
  await using destination = await openDevice(pair)
  const readSource = (): Promise<string> => participant.read(pair.device, source.calls.fds())
  const readDestination = (): Promise<string> => participant.read(pair.peer, destination.calls.fds())
  const elsewhere = await readDestination()
  return await body({
    ...{ source, destination, readSource, readDestination },
    async write() {
      const before = await readSource()
      await participant.write(pair.device, source.calls.fds())
      const written = await readSource()
      // A participant that writes nothing, or reads the same of everything, would pass every proof.
      assert.notEqual(written, before, 'the participant reads the same before its write and after it')
      assert.notEqual(written, elsewhere, 'the participant reads the same of the device that was not written')
      return written
    },
  })
}

/** How often a device in STOP_COPY may have nothing for 100 ms before its end is given up: a minute. */
const mostPauses = 600

/** Carries what there is now; the bytes. */
async function carry(
  from: SessionCalls,
  to: SessionCalls,
): Promise<{ bytes: number; answer: number | string }> {
  for (let bytes = 0; ;) {
    const { result, data } = await from.read(1 << 20, 100)
    if (result === 0 || said(result) === 'ENOMSG') return { bytes, answer: said(result) }
    assert.ok(result > 0, `read answered ${said(result)}`)
    assert.equal(said(await to.write(data)), result)
    bytes += result
  }
}

/** Carries up to the end, which is a 0 and nothing else; the bytes. */
async function carryToEnd(from: SessionCalls, to: SessionCalls): Promise<number> {
  let all = 0
  for (let pauses = 0; pauses < mostPauses; pauses++) {
    const { bytes, answer } = await carry(from, to)
    all += bytes
    if (answer === 0) return all
  }
  return assert.fail('the stream of STOP_COPY has no end')
}

async function ask(session: SessionCalls): Promise<void> {
  assert.equal(said((await session.precopyInfo()).result), 0, 'precopy info')
}

const report = (bytes: number, since: number): string =>
  `${bytes} bytes in ${(performance.now() - since).toFixed(1)} ms`

export const moves: readonly Move[] = [
  {
    name: 'what the participant wrote before STOP_COPY is read from the other device after its RUNNING',
    flags: 0,
    run: (pair, participant) =>
      withSides(pair, participant, async sides => {
        const written = await sides.write()
        const since = performance.now()
        const saving = await sides.source.begin('STOP_COPY')
        const resuming = await sides.destination.begin('RESUMING')
        const bytes = await carryToEnd(saving, resuming)
        await sides.destination.go('RUNNING')
        const told = report(bytes, since)
        assert.equal(await sides.readDestination(), written)
        return told
      }),
  },
  {
    name: 'what it wrote during pre-copy is there as well',
    flags: flag.PRE_COPY,
    run: (pair, participant) =>
      withSides(pair, participant, async sides => {
        await sides.write()
        const saving = await sides.source.begin('PRE_COPY')
        const resuming = await sides.destination.begin('RESUMING')
        await ask(saving)
        const { bytes: before } = await carry(saving, resuming)
        const written = await sides.write()
        await ask(saving)
        const since = performance.now()
        await sides.source.go('STOP_COPY')
        const after = await carryToEnd(saving, resuming)
        await sides.destination.go('RUNNING')
        const told = `${before} bytes before and ${report(after, since)} after STOP_COPY`
        assert.equal(await sides.readDestination(), written)
        return told
      }),
  },
  {
    name: 'a pre-copy that was given up leaves the state where it was',
    flags: flag.PRE_COPY,
    run: (pair, participant) =>
      withSides(pair, participant, async sides => {
        const written = await sides.write()
        const saving = await sides.source.begin('PRE_COPY')
        await ask(saving)
        await sides.source.go('RUNNING')
        assert.equal(await sides.readSource(), written)
        return 'the source goes on'
      }),
  },
  {
    name: 'a device that was stopped and saved goes on with its state when nobody took it',
    flags: 0,
    run: (pair, participant) =>
      withSides(pair, participant, async sides => {
        const written = await sides.write()
        await sides.source.go('STOP_COPY', 'RUNNING')
        assert.equal(await sides.readSource(), written)
        return 'the source goes on'
      }),
  },
]
