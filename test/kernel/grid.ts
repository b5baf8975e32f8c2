// SPDX-License-Identifier: Apache-2.0
import { stateNames, type StateName } from '#lib/kernel/state.js'

/*
 * The kernel's table for a device with STOP_COPY, P2P and PRE_COPY, as vfio_mig_get_next_state answers it (compiled
 * and printed; not taken from lib/kernel): the next single step from the row toward the column, `x` for EINVAL.
 */
const printed = `
              ERR S  R  SC RS RP PC PP
STOP           x  S  RP SC RS RP RP RP
RUNNING        x  RP R  RP RP RP PC RP
STOP_COPY      x  S  S  SC S  S  x  x
RESUMING       x  S  S  S  RS S  S  S
RUNNING_P2P    x  S  R  S  S  RP R  PP
PRE_COPY       x  R  R  PP R  R  PC PP
PRE_COPY_P2P   x  RP RP SC RP RP PC PP`

const long: Readonly<Record<string, StateName>> = {
  ERR: 'ERROR',
  S: 'STOP',
  R: 'RUNNING',
  SC: 'STOP_COPY',
  RS: 'RESUMING',
  RP: 'RUNNING_P2P',
  PC: 'PRE_COPY',
  PP: 'PRE_COPY_P2P',
}

const rows = printed.trim().split('\n').slice(1)
const grid = new Map(rows.map(row => row.split(/ +/)).map(([from = '', ...cells]) => [from, cells]))

/** The states that a device can be driven into. */
export const reachableStates: readonly StateName[] = stateNames.filter(name => name !== 'ERROR')

/** The way from `from` to `to` by the printed table, `to` last; undefined where the kernel answers EINVAL. */
export function printedPath(from: StateName, to: StateName): StateName[] | undefined {
  const path: StateName[] = []
  for (let at = from; at !== to;) {
    const next = long[grid.get(at)?.[stateNames.indexOf(to)] ?? '']
    if (next === undefined) return undefined
    path.push(next)
    at = next
  }
  return path
}

/** The arcs that give out a new data_fd, by vfio.h. */
const opening = ['RUNNING PRE_COPY', 'RUNNING_P2P PRE_COPY_P2P', 'STOP STOP_COPY', 'STOP RESUMING']

/** True when the last arc of the way gives out a data_fd; no arc before the last one does. */
export function givesFd(from: StateName, path: readonly StateName[]): boolean {
  const [before, last] = [from, ...path].slice(-2)
  return path.length > 0 && opening.includes(`${before} ${last}`)
}
