// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Schema } from './parts.ts'

export interface VersionOutput {
  schema: 1
  command: 'version'
  version: string
  node: string
  napi: string
  kernel: string
  addon: {
    loaded: boolean
    why?: string | undefined
  }
}

export const version: Schema<VersionOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('version'),
  version: v.string(),
  node: v.string(),
  napi: v.string(),
  kernel: v.string(),
  addon: v.strictObject({ loaded: v.boolean(), why: v.optional(v.string()) }),
})
