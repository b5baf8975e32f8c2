// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { DowntimeParts, Prediction, RoundReport, RoundSample } from '../../index.ts'
import { bytes, count, ms, type Schema } from './parts.ts'

export const downtimeParts: Schema<DowntimeParts> = v.strictObject({
  stopArcsMs: ms,
  saveMs: ms,
  linkMs: ms,
  loadMs: ms,
  startArcsMs: ms,
  participantMs: ms,
})

export const prediction: Schema<Prediction> = v.strictObject({
  downtimeMs: ms,
  worstMs: ms,
  parts: downtimeParts,
  bytes: v.pipe(v.number(), v.minValue(0)),
})

/** What a round measured of one device. */
export const sample: Schema<RoundSample> = v.strictObject({
  askedAt: v.number(),
  askMs: ms,
  initialBytes: bytes,
  dirtyBytes: bytes,
  reinit: v.boolean(),
  bytes,
  firstByteMs: ms,
  sendMs: ms,
  loadMs: ms,
  cut: v.optional(v.boolean()),
})

/** A round of all devices, and what was decided after it. */
export const round: Schema<RoundReport> = v.strictObject({
  round: count,
  atMs: ms,
  bytes,
  predicted: prediction,
  decision: v.picklist(['continue', 'switch', 'abort']),
  why: v.string(),
})
