// SPDX-License-Identifier: Apache-2.0
import type { PrecopyInfoAnswer } from '../../backend/seam.ts'
import { precopyInfoReinit } from '../../kernel/feature.ts'
import type { KernelName } from '../flavours.ts'
import { recordHeaderBytes } from './mlx5_record.ts'

/** The part of a stream that is told as initial bytes. Positions count from the beginning of the stream. */
export class InitialRegion {
  #start = 0
  #bytes = 0

  add(bytes: number): void {
    this.#bytes += bytes
  }

  /** The device begins anew: what was not read, and what comes, is initial. */
  restart(position: number, unread: number): void {
    this.#start = position
    this.#bytes = unread
  }

  left(position: number): number {
    return Math.max(0, this.#start + this.#bytes - position)
  }
}

/** What precopy info is made of. */
export interface Findings {
  readonly kernel: KernelName
  /** Bytes that are queued and were not read. */
  readonly unread: number
  /** Of the initial region. */
  readonly initialLeft: number
  /** What the firmware says that the next SAVE needs. */
  readonly increment: number
  /** The device has begun anew, and the caller opted into hearing of it. */
  readonly reinit: boolean
}

/** The question makes the next image: when all was read, or the device has begun anew, and there is something. */
export function makesImage({ unread, increment, reinit }: Findings): boolean {
  return (reinit || unread === 0) && increment > 0
}

/** The numbers of mlx5vf_precopy_ioctl(), of which never both are told. 6.12 does not count the header that is to come. */
export function tell(findings: Findings): PrecopyInfoAnswer {
  const { kernel, unread, initialLeft, increment, reinit } = findings
  const header = makesImage(findings) && kernel !== '6.12' ? recordHeaderBytes : 0
  const bytes = unread + increment + header
  const none = { result: 0, initialBytes: 0, dirtyBytes: 0, flags: 0 }
  if (reinit) return { ...none, initialBytes: bytes, flags: precopyInfoReinit }
  return initialLeft > 0 ? { ...none, initialBytes: initialLeft } : { ...none, dirtyBytes: bytes }
}
