// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs'
import { open, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { PumpOptions } from 'vfio-migrate'
import type { Holder } from './holder.js'
import { alone, awaiting, throughFile, until } from './reading.js'
import { random } from './writing.js'

const limits = ({ dice }: Holder): PumpOptions => ({
  ...(dice.oneIn(4) && { maxBytes: 1 + dice.below(1 << 20) }),
  ...(dice.oneIn(4) && { bytesPerSecond: (1 + dice.below(64)) << 20 }),
})

/** A pipe that nobody reads and nobody ends: whoever fills it, or waits for it, is stuck. */
export const stuckPipe = (directory: string): string => join(directory, 'pipe')

/** A worker that was terminated may have left one of that name. */
const freshFile = constants.O_CREAT | constants.O_WRONLY | constants.O_TRUNC

async function withFile(path: string, flags: number, use: (fd: number) => Promise<unknown>): Promise<void> {
  const file: FileHandle = await open(path, flags)
  try {
    await use(file.fd)
  } finally {
    await file.close()
  }
}

export const pumpToFile = alone(async (stream, check, holder) => {
  const options = { ...until(holder), ...limits(holder), signal: holder.signal() }
  await throughFile(holder, check, path => withFile(path, freshFile, fd => stream.pump(fd, options)))
})

export const pumpToStuckPipe = alone(async (stream, check, holder) => {
  check.isTorn = true
  const options = { ...until(holder), signal: holder.signal() }
  await withFile(stuckPipe(holder.directory), constants.O_RDWR, fd => stream.pump(fd, options))
})

export async function pumpFromFile(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  const options = { ...limits(holder), signal: holder.signal() }
  check.isTold = false
  const path = join(holder.directory, `${holder.index}-${holder.begun}`)
  await writeFile(path, random(holder.dice))
  try {
    await awaiting(holder, stream, () => withFile(path, constants.O_RDONLY, fd => stream.pump(fd, options)))
  } finally {
    await rm(path)
  }
}

export async function pumpFromStuckPipe(holder: Holder): Promise<void> {
  const [stream, check] = holder.resuming()
  check.isTold = false
  const options = { signal: holder.signal() }
  const path = stuckPipe(holder.directory)
  await awaiting(holder, stream, () => withFile(path, constants.O_RDWR, fd => stream.pump(fd, options)))
}
