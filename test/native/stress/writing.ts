// SPDX-License-Identifier: Apache-2.0
import { finished } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type { ResumingStream } from 'vfio-migrate'
import { streamBytes } from '../preloaded/stream_pattern.js'
import type { Dice } from './dice.js'
import type { Holder } from './holder.js'
import type { LoadCheck } from './load_check.js'
import { alone } from './reading.js'

/** No piece of which is like another. */
export const random = (dice: Dice): Buffer =>
  streamBytes(dice.below(2 ** 24), 1 + dice.below(dice.oneIn(8) ? 3 << 20 : 1 << 15))

/** Resolves when the stream has called back. */
async function put(stream: ResumingStream, check: LoadCheck, data: Uint8Array): Promise<void> {
  // What is written after its end was never the stream's.
  if (stream.writable) check.add(data)
  await new Promise<void>((resolve, reject) => {
    stream.write(data, error => (error ? reject(error) : resolve()))
  })
}

export async function write(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  await put(stream, check, random(holder.dice))
}

export async function writeSeveral(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  stream.cork()
  const writes = Array.from({ length: 1 + holder.dice.below(6) }, () =>
    put(stream, check, random(holder.dice)),
  )
  stream.uncork()
  const answers = await Promise.allSettled(writes)
  for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
}

/** The array is taken away while it may be under way. */
export async function writeAndTake(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  const data = new Uint8Array(random(holder.dice))
  const writing = put(stream, check, data)
  const taking = (async () => {
    for (let turns = holder.dice.below(3); turns > 0; turns--) await turn()
    structuredClone(data.buffer, { transfer: [data.buffer] })
  })()
  await Promise.all([writing, taking])
}

/** What another device of this thread gives out, as it is lent; it may be released while it is written. */
export async function writeLent(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  const give = alone(async (saving, read) => {
    for await (const chunk of saving.chunksToRelease('idle')) {
      read.take(chunk)
      const writing = put(stream, check, chunk)
      if (holder.dice.oneIn(2)) saving.release(chunk)
      await writing
      saving.release(chunk)
    }
  })
  const givers = holder.crew.filter(({ session }) => session === 'saving')
  const giver = holder.dice.pick(givers)
  if (giver !== undefined) await give(giver)
}

/** Once it has finished the device has it all. */
export async function end(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  const over = finished(stream)
  stream.end()
  await over
  holder.checkLoad(check)
}

export function destroyResuming(holder: Holder): Promise<void> {
  holder.resuming()[0].destroy()
  return Promise.resolve()
}
