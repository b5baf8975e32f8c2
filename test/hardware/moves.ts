// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { type Device, openDevice } from '../contract/device.ts'
import { flag, said } from '../contract/numbers.ts'
import type { Pair } from './pair.ts'
import type { Participant } from './participant.ts'

/** A proof that state has moved, and how much of it in which time. */
export interface Move {
  readonly name: string
  readonly flags: number
  readonly run: (pair: Pair, participant: Participant) => Promise<string>
}

interface Sides {
  readonly source: Device
  readonly destination: Device
  write(): Promise<void>
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
  return await body({
    source,
    destination,
    write: () => participant.write(pair.device, source.calls.fds()),
    readSource: () => participant.read(pair.device, source.calls.fds()),
    readDestination: () => participant.read(pair.peer, destination.calls.fds()),
  })
}

/** Carries what there is now, or to the end; the bytes. */
async function carry(from: SessionCalls, to: SessionCalls): Promise<number> {
  for (let bytes = 0; ;) {
    const { result, data } = await from.read(1 << 20, 100)
    if (result === 0 || said(result) === 'ENOMSG') return bytes
    assert.ok(result > 0, `read answered ${said(result)}`)
    assert.equal(await to.write(data), result)
    bytes += result
  }
}

const report = (bytes: number, since: number): string =>
  `${bytes} bytes in ${(performance.now() - since).toFixed(1)} ms`

export const moves: readonly Move[] = [
  {
    name: 'what the participant wrote before STOP_COPY is read from the other device after its RUNNING',
    flags: 0,
    run: (pair, participant) =>
      withSides(pair, participant, async sides => {
        await sides.write()
        const written = await sides.readSource()
        const since = performance.now()
        const saving = await sides.source.begin('STOP_COPY')
        const resuming = await sides.destination.begin('RESUMING')
        const bytes = await carry(saving, resuming)
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
        await saving.precopyInfo()
        const before = await carry(saving, resuming)
        await sides.write()
        const written = await sides.readSource()
        await saving.precopyInfo()
        const since = performance.now()
        await sides.source.go('STOP_COPY')
        const after = await carry(saving, resuming)
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
        await sides.write()
        const written = await sides.readSource()
        const saving = await sides.source.begin('PRE_COPY')
        await saving.precopyInfo()
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
        await sides.write()
        const written = await sides.readSource()
        await sides.source.go('STOP_COPY', 'RUNNING')
        assert.equal(await sides.readSource(), written)
        return 'the source goes on'
      }),
  },
]
