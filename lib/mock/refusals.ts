// SPDX-License-Identifier: Apache-2.0
import type {
  ArcsAnswer,
  BitmapAnswer,
  DataAnswer,
  DeviceInfoAnswer,
  PrecopyInfoAnswer,
  ReadAnswer,
  RegionInfoAnswer,
} from '../backend/seam.ts'

/** What a call of the seam answers that comes to -errno, and to nothing beside it. */
export const refusals = {
  deviceInfo: (result: number): DeviceInfoAnswer => ({ result, flags: 0, numRegions: 0, numIrqs: 0 }),
  regionInfo: (result: number): RegionInfoAnswer => ({ result, flags: 0, size: 0, offset: 0 }),
  regionRead: (result: number): DataAnswer => ({ result, data: new Uint8Array(0) }),
  /** No SET was issued. */
  setStates: (result: number, arc: number): ArcsAnswer => ({
    result,
    done: 0,
    times: new Float64Array(0),
    arc,
  }),
  dmaLoggingReport: (result: number): BitmapAnswer => ({ result, bitmap: new BigUint64Array(0) }),
  read: (result: number, arc: number): ReadAnswer => ({ result, data: new Uint8Array(0), arc }),
  precopyInfo: (result: number): PrecopyInfoAnswer => ({
    result,
    initialBytes: 0,
    dirtyBytes: 0,
    flags: 0,
  }),
} as const
