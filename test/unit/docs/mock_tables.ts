// SPDX-License-Identifier: Apache-2.0
import { driverManners } from '#lib/kernel/drivers.js'
import { allFaultPoints, type PointRule } from '#lib/mock/faults.js'
import { flavourNames, flavours, type Flavour } from '#lib/mock/flavours.js'

type Row = readonly [title: string, cell: (flavour: Flavour) => string]

const flagsText = (flags: number | undefined): string =>
  flags === undefined ? 'no driver' : flags === 0 ? 'no migration' : String(flags)

const numberOr = (value: number | string | undefined, otherwise: string): string =>
  value === undefined ? otherwise : typeof value === 'number' ? String(value) : `by ${value}`

const rows: readonly Row[] = [
  ['driver', ({ driver }) => `\`${driver}\``],
  ['evidence', ({ evidence }) => (evidence === 'confirmed' ? '**confirmed**' : 'read only')],
  ['migrates since Linux', ({ driver }) => driverManners(driver)?.since ?? ''],
  ['PRE_COPY since', ({ preCopySince }) => preCopySince ?? '–'],
  ['flags on 6.12', ({ flags }) => flagsText(flags['6.12'])],
  ['flags on 7.2', ({ flags }) => flagsText(flags['7.2'])],
  ['DMA logging', ({ dmaLogging }) => dmaLogging],
  ['stream', ({ stream }) => stream],
  ['its length', ({ streamBytes }) => numberOr(streamBytes, 'by `size`')],
  ['read when idle in PRE_COPY', ({ idle }) => (idle === undefined ? '–' : String(idle))],
  ['reading', ({ read }) => read],
  ['poll handler', ({ pollable }) => (pollable ? 'yes' : 'no')],
  ['MIG_DATA_SIZE', ({ dataSize }) => (dataSize === 'computed' ? dataSize : numberOr(dataSize, ''))],
  ['write over capacity', ({ overCapacity }) => overCapacity],
  ['write of a strange stream', ({ refusal }) => refusal],
  ['and after it', ({ afterRefusal }) => afterRefusal ?? '–'],
  ['cut short, RESUMING → STOP', ({ incomplete }) => (incomplete === 0 ? '0' : incomplete)],
  ['`/proc/self/fd/N`', ({ inode }) => `\`${inode}\``],
]

/** The table of flavours, as docs/mock.md has it. */
export function flavourTable(): string[][] {
  const all = flavourNames.map(name => flavours[name])
  return [
    ['', ...flavourNames.map(name => `\`${name}\``)],
    ...rows.map(([title, cell]) => [title, ...all.map(cell)]),
  ]
}

/** The table of fault points, likewise. */
export function faultTable(): string[][] {
  const points = Object.entries(allFaultPoints).map(([name, rule]) => [
    `\`${name}\``,
    rule.what,
    takes(rule),
    who(rule),
  ])
  return [['point', 'where', 'takes', 'flavours'], ...points]
}

function takes({ status, errno, hold, reset, bytes, event }: PointRule): string {
  if (status) return 'as a command'
  const fields = [
    errno && `\`errno\` ${errno.join(' ')}`,
    hold && '`hold`',
    reset && '`reset`',
    bytes && '`flip`, `cut`',
    event && 'nothing',
  ]
  return fields.filter(Boolean).join(', ')
}

/** The errnos that every command can end with. */
export const commandErrnos: string = allFaultPoints.QUERY.errno?.join(' ') ?? ''

/** In full while they are few. */
function who({ flavours: names = flavourNames, needs }: PointRule): string {
  const missing = flavourNames.filter(name => !names.includes(name))
  const all = missing.length === 0 ? 'all' : `all but ${missing.join(' ')}`
  const which = missing.length <= 1 ? all : names.join(' ')
  return needs === undefined || needs === 'nothing' ? which : `${which}, with \`${needs}\``
}
