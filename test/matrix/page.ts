// SPDX-License-Identifier: Apache-2.0
// Tables of docs/ as data: what the matrix expects is what docs/recovery.md says.
import { readFileSync } from 'node:fs'

const docs = new URL('../../docs/', import.meta.url)

/** One line of a table of the page, by the words of its head. */
export type Line = Readonly<Record<string, string>>

/** All tables of a page, in their order. */
function tables(page: string): Line[][] {
  const found: Line[][] = []
  let head: string[] | undefined
  for (const line of readFileSync(new URL(page, docs), 'utf8').split('\n')) {
    const cells = cellsOf(line)
    if (cells === undefined) head = undefined
    else if (head === undefined) {
      found.push([])
      head = cells
    } else if (!cells.every(cell => /^-+$/.test(cell))) found.at(-1)?.push(lineOf(head, cells))
  }
  return found
}

/** The lines of all tables of docs/recovery.md that have these columns. */
export function linesWith(...columns: readonly string[]): Line[] {
  return linesOf('recovery.md', ...columns)
}

/** The lines of all tables of a page of docs/ that have these columns. */
export function linesOf(page: string, ...columns: readonly string[]): Line[] {
  return tables(page).flatMap(lines =>
    lines.filter(line => columns.every(column => line[column] !== undefined)),
  )
}

/** What a cell lists. */
export function listed(cell: string | undefined): string[] {
  return (cell ?? '').split(', ').filter(Boolean)
}

function cellsOf(line: string): string[] | undefined {
  if (!line.startsWith('|')) return undefined
  return line
    .split('|')
    .slice(1, -1)
    .map(cell => cell.trim().replaceAll('`', ''))
}

function lineOf(head: readonly string[], cells: readonly string[]): Line {
  return Object.fromEntries(head.map((name, index) => [name, cells[index] ?? '']))
}
