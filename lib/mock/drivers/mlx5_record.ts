// SPDX-License-Identifier: Apache-2.0
import { high32, low32 } from '../state.ts'

/** struct mlx5_vf_migration_header: record_size (8), flags (4), tag (4); little-endian. */
export const recordHeaderBytes = 16

/** What a record is. Source: drivers/vfio/pci/mlx5/cmd.h. */
export const recordTag = { FW_DATA: 0, STOP_COPY_SIZE: 1 } as const

/** A reader that does not know the tag may skip the record. */
export const recordOptional = 1

function wordsAsBytes(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer)
}

/** The header of a record that carries an image of `length` bytes. */
export function imageRecord(length: number): Uint8Array {
  return wordsAsBytes(...split(length), 0, recordTag.FW_DATA)
}

/** Record 0, whole: how much memory the target had better set aside. */
export function stopCopySizeRecord(bytes: number): Uint8Array {
  return wordsAsBytes(8, 0, recordOptional, recordTag.STOP_COPY_SIZE, ...split(bytes))
}

export interface RecordHeader {
  /** Bytes that follow. */
  readonly size: bigint
  readonly isOptional: boolean
  readonly tag: number
}

export function parseRecordHeader(bytes: Uint8Array): RecordHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, recordHeaderBytes)
  return {
    size: view.getBigUint64(0, true),
    isOptional: (view.getUint32(8, true) & recordOptional) !== 0,
    tag: view.getUint32(12, true),
  }
}

const split = (value: number): [number, number] => [low32(BigInt(value)), high32(BigInt(value))]
