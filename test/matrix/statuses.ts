// SPDX-License-Identifier: Apache-2.0
// What a firmware answers when it refuses a command, by the table of docs/firmware-model.md.
import assert from 'node:assert/strict'
import { errnoName } from '#lib/kernel/errno.js'
import type { Case } from './case.js'
import { linesOf, listed, type Line } from './page.js'
import type { Actor } from './stage.js'

/** One that no driver knows. */
const unknown = 0x77

const column = 'errno of the call that waits for it'
const rows = linesOf('firmware-model.md', 'firmware status', column)

function statusesOf(row: Line): number[] {
  return listed(row['firmware status']).map(word => (word === 'unknown' ? unknown : Number(word)))
}

/** Every status that there is. */
export const statuses: readonly number[] = rows.flatMap(statusesOf)

/** One of each line: to the driver those of one line are one errno, and one way for a SAVE to end. */
export const kindsOfStatus: readonly number[] = rows.flatMap(row => statusesOf(row).slice(0, 1))

/** What it is to the call that waits for the command. */
export function errnoOfStatus(status: number): string | undefined {
  return rows.find(row => statusesOf(row).includes(status))?.[column]
}

/** A status that struck was the errno that the page says. */
export function checkStatuses({ faults = [] }: Case, actors: readonly Actor[]): void {
  for (const { side, member, fault } of faults) {
    if (fault.status === undefined) continue
    const { mock } = actors.find(({ mock }) => mock.name === `${side}-${member}`) ?? assert.fail()
    const told = mock.history.find(event => event.kind === 'status' && event.status === fault.status)
    assert.ok(told?.kind === 'status', `no command ended with status ${fault.status}`)
    assert.equal(errnoName(told.errno), errnoOfStatus(fault.status), `errno of status ${fault.status}`)
  }
}
