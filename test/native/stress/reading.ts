// SPDX-License-Identifier: Apache-2.0
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Pause, ResumingStream, SavingStream } from 'vfio-migrate'
import type { Holder } from './holder.js'
import type { StreamCheck } from './stream_check.js'

type Reading = (stream: SavingStream, check: StreamCheck, holder: Holder) => Promise<void>

/** One at a time: two would share the stream out between them. A reader who fails may have taken bytes that nobody has seen. */
export const alone =
  (read: Reading) =>
  async (holder: Holder): Promise<void> => {
    const [stream, check] = holder.saving()
    if (check.isRead) return
    check.isRead = true
    try {
      await awaiting(holder, stream, () => read(stream, check, holder))
    } catch (error) {
      check.isTorn = true
      throw error
    } finally {
      check.isRead = false
    }
  }

export async function awaiting(
  { awaited }: Holder,
  stream: SavingStream | ResumingStream,
  wait: () => Promise<unknown>,
): Promise<void> {
  awaited.push(stream)
  try {
    await wait()
  } finally {
    awaited.splice(awaited.indexOf(stream), 1)
  }
}

export const until = ({ dice }: Holder): { until: Pause } => ({ until: dice.pick(['idle', 'idle', 'end']) })

/** To the pause, or until the loop is left; then the last chunk stays as it is. */
export const chunks = alone(async (stream, check, holder) => {
  const { dice } = holder
  for await (const chunk of stream.chunks(until(holder))) {
    check.take(chunk)
    if (dice.oneIn(8)) {
      holder.keep(chunk)
      break
    }
    if (dice.oneIn(3)) await turn()
  }
})

/** Released after the loop, in any order, or never. */
export const chunksToRelease = alone(async (stream, check, holder) => {
  const { dice } = holder
  const taken: Buffer[] = []
  for await (const chunk of stream.chunksToRelease('idle')) {
    check.take(chunk)
    taken.push(chunk)
    if (dice.oneIn(6)) break
  }
  while (taken.length > 0) {
    const [chunk] = taken.splice(dice.below(taken.length), 1)
    if (chunk === undefined) continue
    if (dice.oneIn(4)) holder.keep(chunk)
    else stream.release(chunk)
    if (dice.oneIn(3)) await turn()
  }
})

/** To the end, or until the loop is left, which destroys the stream. */
export const forAwait = alone(async (stream, check, holder) => {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    check.take(chunk)
    holder.keep(chunk)
    if (holder.dice.oneIn(6)) return
  }
})

export const listen = alone(async (stream, check, { dice }) => {
  const take = (chunk: Buffer): void => {
    check.take(chunk)
  }
  stream.on('data', take).on('error', () => undefined)
  for (let turns = dice.below(20); turns > 0; turns--) await turn()
  stream.off('data', take).pause()
})

/** Everything is kept to the end. */
export const throughPipeline = alone(async (stream, check, holder) => {
  const kept: Buffer[] = []
  const collector = new Writable({
    write(chunk: Buffer, _encoding, done) {
      kept.push(chunk)
      done()
    },
  })
  try {
    await pipeline(stream, new PassThrough(), createGzip({ level: 1 }), createGunzip(), collector, {
      signal: holder.signal(),
    })
  } finally {
    for (const chunk of kept) check.take(chunk)
  }
})

/** A file that is there while `write` runs; what is in it then is held against the device. */
export async function throughFile(
  holder: Holder,
  check: StreamCheck,
  write: (path: string) => Promise<unknown>,
): Promise<void> {
  const path = join(holder.directory, `${holder.index}-${holder.begun}`)
  try {
    await write(path)
  } finally {
    check.take(await readFile(path))
    await rm(path)
  }
}

export const copyToFd = alone(async (stream, check, holder) => {
  await throughFile(holder, check, async path => {
    const file = await open(path, 'w')
    try {
      await stream.copyTo(file.fd, until(holder))
    } finally {
      await file.close()
    }
  })
})

export const copyToFile = alone(async (stream, check, holder) => {
  await throughFile(holder, check, async path => {
    const file = (await open(path, 'w')).createWriteStream()
    try {
      await stream.copyTo(file, until(holder))
    } finally {
      await new Promise<void>(resolve => file.end(resolve))
    }
  })
})

/** Which takes nothing: where nobody does, even an end that was read stays ahead of it. */
export async function idle(holder: Holder): Promise<void> {
  const [stream] = holder.saving()
  holder.orphans.push(stream)
  await awaiting(holder, stream, () => stream.idle())
}

export function destroySaving(holder: Holder): Promise<void> {
  holder.saving()[0].destroy()
  return Promise.resolve()
}
