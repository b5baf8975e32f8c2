// SPDX-License-Identifier: Apache-2.0
import { states, type State } from '../numbers.ts'

/*
 * The next single step from the row toward the column, `x` for EINVAL, for each of the four kinds of device; printed by
 * a program that calls the kernel's vfio_mig_get_next_state.
 */
const printed: Readonly<Record<number, string>> = {
  1: `
              ERR S  R  SC RS RP PC PP
STOP           x  S  R  SC RS x  x  x
RUNNING        x  S  R  S  S  x  x  x
STOP_COPY      x  S  S  SC S  x  x  x
RESUMING       x  S  S  S  RS x  x  x`,
  3: `
              ERR S  R  SC RS RP PC PP
STOP           x  S  RP SC RS RP x  x
RUNNING        x  RP R  RP RP RP x  x
STOP_COPY      x  S  S  SC S  S  x  x
RESUMING       x  S  S  S  RS S  x  x
RUNNING_P2P    x  S  R  S  S  RP x  x`,
  5: `
              ERR S  R  SC RS RP PC PP
STOP           x  S  R  SC RS x  R  x
RUNNING        x  S  R  S  S  x  PC x
STOP_COPY      x  S  S  SC S  x  x  x
RESUMING       x  S  S  S  RS x  S  x
PRE_COPY       x  R  R  SC R  x  PC x`,
  7: `
              ERR S  R  SC RS RP PC PP
STOP           x  S  RP SC RS RP RP RP
RUNNING        x  RP R  RP RP RP PC RP
STOP_COPY      x  S  S  SC S  S  x  x
RESUMING       x  S  S  S  RS S  S  S
RUNNING_P2P    x  S  R  S  S  RP R  PP
PRE_COPY       x  R  R  PP R  R  PC PP
PRE_COPY_P2P   x  RP RP SC RP RP PC PP`,
}

const long: Readonly<Record<string, State>> = {
  S: 'STOP',
  R: 'RUNNING',
  SC: 'STOP_COPY',
  RS: 'RESUMING',
  RP: 'RUNNING_P2P',
  PC: 'PRE_COPY',
  PP: 'PRE_COPY_P2P',
}

type Grid = ReadonlyMap<string, readonly string[]>

function parse(text: string): Grid {
  const rows = text.trim().split('\n').slice(1)
  return new Map(rows.map(row => row.split(/ +/)).map(([from = '', ...cells]) => [from, cells]))
}

const grids = new Map(Object.entries(printed).map(([flags, text]) => [Number(flags), parse(text)]))

/** The arcs that give out a data_fd. */
const opening = ['RUNNING PRE_COPY', 'RUNNING_P2P PRE_COPY_P2P', 'STOP STOP_COPY', 'STOP RESUMING']

/** What comes of one SET. */
export interface Outcome {
  readonly answer: 'ok' | 'EINVAL'
  readonly state: State
  readonly fd: boolean
}

function walk(grid: Grid, from: State, to: State): Outcome {
  let [before, at] = [from, from]
  while (at !== to) {
    const next = long[grid.get(at)?.[states.indexOf(to)] ?? '']
    if (next === undefined) return { answer: 'EINVAL', state: from, fd: false }
    ;[before, at] = [at, next]
  }
  return { answer: 'ok', state: to, fd: opening.includes(`${before} ${at}`) }
}

/** What each target does from `from`; undefined where a device with these flags has no such state. */
export function printedRow(flags: number, from: State): Readonly<Record<State, Outcome>> | undefined {
  const grid = grids.get(flags)
  if (!grid?.has(from)) return undefined
  return Object.fromEntries(states.map(to => [to, walk(grid, from, to)])) as Record<State, Outcome>
}
