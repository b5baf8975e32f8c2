// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Finding } from '../../index.ts'
import type { Schema } from './parts.ts'

/** A rule of docs/preflight.md that applied. */
export const finding: Schema<Finding> = v.strictObject({
  id: v.string(),
  level: v.picklist(['refuse', 'warn']),
  device: v.string(),
  cause: v.string(),
  remedy: v.string(),
  overridable: v.boolean(),
  overridden: v.boolean(),
})
