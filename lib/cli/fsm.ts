// SPDX-License-Identifier: Apache-2.0
import { missingFlags, nextState, pathTo, stateNames, type MachineFlags, type StateName } from '../index.ts'
import type { Context } from './context.ts'
import type { FsmOutput, NextStates } from './schemas/fsm.ts'
import { parseState } from './states.ts'
import { table } from './table.ts'
import { UsageError } from './refusals.ts'

interface FsmOptions {
  readonly flags: string
  readonly format: 'table' | 'dot' | 'mermaid'
  readonly from?: string
  readonly to?: string
}

/** `vfio-migrate fsm` */
export function fsm(_args: readonly string[], options: FsmOptions, context: Context): void {
  const flags = parseFlags(options.flags)
  const { from, to } = options
  if ((from === undefined) !== (to === undefined)) throw new UsageError('--from and --to go together')
  if (from !== undefined && to !== undefined) tellPath(parseState(from), parseState(to), flags, context)
  else tellMachine(flags, options.format, context)
}

const flagNames: Readonly<Record<string, keyof MachineFlags>> = { p2p: 'p2p', precopy: 'preCopy' }

function parseFlags(text: string): MachineFlags {
  const words = text.split(',').filter(word => word !== '' && word !== 'none')
  const unknown = words.find(word => flagNames[word] === undefined)
  if (unknown !== undefined) throw new UsageError(`--flags knows p2p, precopy and none, not '${unknown}'`)
  return { p2p: words.includes('p2p'), preCopy: words.includes('precopy') }
}

function tellPath(from: StateName, to: StateName, flags: MachineFlags, context: Context): void {
  for (const state of [from, to]) {
    const missing = missingFlags(state, flags)
    if (missing.length > 0) throw new UsageError(`without ${missing.join(' and ')} there is no ${state}`)
  }
  const path = pathTo(from, to, flags)
  if (path === undefined)
    throw new UsageError(`the kernel has no path from ${from} to ${to}: it answers EINVAL`)
  const result: FsmOutput = { schema: 1, command: 'fsm', flags, path }
  context.answer(result, [from, ...path].join(' → '))
}

function tellMachine(flags: MachineFlags, format: FsmOptions['format'], context: Context): void {
  const states = stateNames.filter(state => missingFlags(state, flags).length === 0)
  const result: FsmOutput = { schema: 1, command: 'fsm', flags, states, next: nextStates(states, flags) }
  context.answer(result, formats[format](states, flags))
}

function nextStates(states: readonly StateName[], flags: MachineFlags): NextStates {
  const rows = states.map(from => {
    const cells = states.map(to => [to, nextState(from, to, flags) ?? null] as const)
    return [from, Object.fromEntries(cells)] as const
  })
  return Object.fromEntries(rows)
}

/** As the kernel's own tables shorten them. */
const short: Readonly<Record<StateName, string>> = {
  ERROR: 'ERR',
  STOP: 'S',
  RUNNING: 'R',
  STOP_COPY: 'SC',
  RESUMING: 'RS',
  RUNNING_P2P: 'RP',
  PRE_COPY: 'PC',
  PRE_COPY_P2P: 'PP',
}

type Format = (states: readonly StateName[], flags: MachineFlags) => string

const formats: Readonly<Record<FsmOptions['format'], Format>> = {
  table: (states, flags) => {
    const cell = (from: StateName, to: StateName): string => {
      const next = nextState(from, to, flags)
      return next === undefined ? '×' : short[next]
    }
    const rows = states.map(from => [from, ...states.map(to => cell(from, to))])
    const legend = states.map(state => `${short[state]} ${state}`).join(', ')
    return `${table(['from \\ to', ...states.map(state => short[state])], rows)}\n
A cell is the next step from the row on the way to the column; × is EINVAL.\n${legend}`
  },
  dot: (states, flags) => {
    const lines = arcs(states, flags).map(([from, to]) => `  ${from} -> ${to}`)
    return ['digraph vfio_migration {', ...lines, '}'].join('\n')
  },
  mermaid: (states, flags) => {
    const lines = arcs(states, flags).map(([from, to]) => `  ${from} --> ${to}`)
    return ['stateDiagram-v2', ...lines].join('\n')
  },
}

/** The pairs that one step connects. */
function arcs(states: readonly StateName[], flags: MachineFlags): [StateName, StateName][] {
  const all = states.flatMap(from => states.map((to): [StateName, StateName] => [from, to]))
  return all.filter(([from, to]) => from !== to && nextState(from, to, flags) === to)
}
