// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { DeviceCalls, SessionCalls } from '#lib/backend/seam.js'

const numbers = { STOP: 1, RUNNING: 2, STOP_COPY: 3, RESUMING: 4, PRE_COPY: 6 }
const ENOMSG = 42

/** How somebody might move a device: any read sizes, any number of rounds, any moment for the switch. */
export interface Manner {
  /** Sizes of reads, used one after another and again. */
  readonly reads: readonly number[]
  /** Sizes of writes, likewise. */
  readonly writes: readonly number[]
  /** One a round of pre-copy. */
  readonly rounds: readonly Round[]
}

export interface Round {
  readonly ask: boolean
  /** The most reads of the round: it need not take all that is there. */
  readonly reads: number
  /** How long the source runs on before the next round, in ms. */
  readonly pauseMs: number
}

interface Pair {
  readonly from: DeviceCalls
  readonly to: DeviceCalls
  readonly sleep: (ms: number) => Promise<void>
}

function* again(sizes: readonly number[]): Generator<number, never> {
  for (let index = 0; ; index++) yield sizes[index % sizes.length] ?? 1
}

/** What was read and is not written yet. */
class Pipe {
  readonly #session: SessionCalls
  readonly #sizes: Generator<number, never>

  constructor(session: SessionCalls, sizes: readonly number[]) {
    this.#session = session
    this.#sizes = again(sizes)
  }

  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length;) {
      const piece = data.slice(at, at + this.#sizes.next().value)
      assert.equal(await this.#session.write(piece), piece.length)
      at += piece.length
    }
  }
}

/** One SET, which the kernel walks by itself; answers the session that it opened, if any. */
async function set(calls: DeviceCalls, state: number): Promise<SessionCalls | undefined> {
  const { result, session } = await calls.setStates([state])
  assert.equal(result, 0, `SET ${state}`)
  return session
}

/** Moves the state of one device into another by the bare calls. Both are in STOP_COPY and STOP afterwards. */
export async function moveByCalls(
  { from, to, sleep }: Pair,
  { reads, writes, rounds }: Manner,
): Promise<void> {
  const target = await set(to, numbers.RESUMING)
  assert.ok(target)
  const pipe = new Pipe(target, writes)
  const sizes = again(reads)
  let source: SessionCalls | undefined
  if (rounds.length > 0) source = await set(from, numbers.PRE_COPY)
  for (const round of rounds) {
    assert.ok(source)
    if (round.ask) assert.equal((await source.precopyInfo()).result, 0)
    await drain(source, pipe, sizes, round.reads)
    await sleep(round.pauseMs)
  }
  source = (await set(from, numbers.STOP_COPY)) ?? source
  assert.ok(source)
  for (;;) {
    const { result, data } = await source.read(sizes.next().value, 0)
    assert.ok(result >= 0, `read answered ${result}`)
    if (result === 0) break
    await pipe.write(data)
  }
  await set(to, numbers.STOP)
  await target.close()
  await source.close()
}

async function drain(
  source: SessionCalls,
  pipe: Pipe,
  sizes: Generator<number, never>,
  most: number,
): Promise<void> {
  for (let count = 0; count < most; count++) {
    const { result, data } = await source.read(sizes.next().value, 0)
    if (result === 0 || result === -ENOMSG) return
    assert.ok(result > 0, `read answered ${result}`)
    await pipe.write(data)
  }
}
