// SPDX-License-Identifier: Apache-2.0
import Table from 'cli-table3'

/** Nothing but two blanks between the columns: a table that can be read, cut and grepped. */
const bare = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '',
  right: '', 'right-mid': '', middle: '  ',
} // prettier-ignore

/** Rows below a heading, aligned by column. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const style = { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true }
  const made = new Table({ chars: bare, style })
  made.push([...head], ...rows.map(row => [...row]))
  return trimmed(made.toString())
}

/** Names and values below each other; values may have several lines. */
export function pairs(rows: readonly (readonly [string, string | undefined])[]): string {
  const known = rows.filter((row): row is readonly [string, string] => row[1] !== undefined)
  const width = Math.max(...known.map(([name]) => name.length))
  const indent = `\n${' '.repeat(width + 2)}`
  return known.map(([name, value]) => `${name.padEnd(width)}  ${value.replaceAll('\n', indent)}`).join('\n')
}

function trimmed(text: string): string {
  return text
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}
