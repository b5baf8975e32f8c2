// SPDX-License-Identifier: Apache-2.0
// How often a device came to the points at which it can fail, as far as its history tells.
import assert from 'node:assert/strict'
import { commandNames } from '#lib/mock/option_schema.js'
import type { RecordedEvent } from '#lib/mock/history.js'
import type { FaultPoint } from 'vfio-migrate/mock'
import type { Observed } from './stage.js'

const told: ReadonlySet<string> = new Set([...commandNames, 'LOG_START', 'LOG_REPORT'])

/** Its history tells of the point: it is an arc, a command, or the reset. */
export function isTold(on: FaultPoint): boolean {
  return told.has(on) || on.includes('->')
}

/** How often the device came to it in this migration; only of a point that is told of. */
export function timesReached({ actors, overAt }: Observed, name: string, on: FaultPoint): number {
  const index = actors.findIndex(({ mock }) => mock.name === name)
  const { mock, before } = actors[index] ?? assert.fail(`no ${name}`)
  return mock.history.slice(before.events, overAt[index]).filter(event => pointOf(event) === on).length
}

function pointOf(event: RecordedEvent): string | undefined {
  if (event.kind === 'arc') return `${event.from}->${event.to}`
  if (event.kind === 'command') return event.command
  return event.kind === 'event' && event.event === 'reset' ? 'RESET' : undefined
}
