// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Schema } from './parts.ts'

/** An error, in short. */
export interface CauseOutput {
  /** The name of an errno, ERR_VFIO_…, or ABORT_ERR. */
  code: string
  message: string
  /** Negative, as Node has it. */
  errno?: number | undefined
  /** The ioctl's name in vfio.h. */
  request?: string | undefined
}

export const errno: Schema<number | undefined> = v.optional(v.pipe(v.number(), v.integer(), v.maxValue(-1)))

export const cause: Schema<CauseOutput> = v.strictObject({
  code: v.string(),
  message: v.string(),
  errno,
  request: v.optional(v.string()),
})
