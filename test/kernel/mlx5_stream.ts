// SPDX-License-Identifier: Apache-2.0
// What mlx5_vfio_pci gives out: records, by drivers/vfio/pci/mlx5/cmd.h; those of firmware data are images by docs/firmware-model.md.
import assert from 'node:assert/strict'
import { finished } from 'node:stream/promises'
import type { Device } from '#lib/index.js'

/** Tags of records. */
export const tags = { firmwareData: 0, stopCopySize: 1 } as const

/** One record of the driver's. */
export interface StreamRecord {
  readonly flags: number
  readonly tag: number
  readonly payload: Buffer
}

/** The records of a whole stream, or of its beginning as long as no record is cut. */
export function recordsOf(stream: Buffer): StreamRecord[] {
  const records = []
  for (let at = 0; at < stream.length;) {
    const begin = at + 16
    const size = Number(stream.readBigUInt64LE(at))
    const [flags, tag] = [stream.readUInt32LE(at + 8), stream.readUInt32LE(at + 12)]
    at = begin + size
    assert.ok(at <= stream.length, `a record of ${size} bytes ends behind the stream`)
    records.push({ flags, tag, payload: stream.subarray(begin, at) })
  }
  return records
}

/** The stream that these records are. */
export function streamOf(records: readonly StreamRecord[]): Buffer {
  const parts = records.map(({ flags, tag, payload }) => {
    const header = Buffer.alloc(16)
    header.writeBigUInt64LE(BigInt(payload.length), 0)
    header.writeUInt32LE(flags, 8)
    header.writeUInt32LE(tag, 12)
    return Buffer.concat([header, payload])
  })
  return Buffer.concat(parts)
}

/** A record of firmware data. */
export const imageRecord = (payload: Buffer): StreamRecord => ({ flags: 0, tag: tags.firmwareData, payload })

/** The images of a stream, in order. */
export const imagesOf = (stream: Buffer): Buffer[] =>
  recordsOf(stream)
    .filter(({ tag }) => tag === tags.firmwareData)
    .map(({ payload }) => payload)

/** Everything that a device gives out up to the next pause. */
export async function readAll(device: Device, until: 'idle' | 'end'): Promise<Buffer> {
  const chunks = []
  for await (const chunk of device.savingStream.chunks({ until })) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** Saves a whole state, without pre-copy where the device is in RUNNING. */
export async function saveAll(device: Device): Promise<Buffer> {
  await device.setState('STOP')
  await device.setState('STOP_COPY')
  return await readAll(device, 'end')
}

/** Writes a stream into a device and leaves RESUMING. */
export async function loadAll(device: Device, stream: Buffer): Promise<void> {
  await device.setState('RESUMING')
  device.resumingStream.end(stream)
  await finished(device.resumingStream)
  await device.setState('STOP')
}
