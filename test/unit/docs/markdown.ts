// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'

/** A file of the project, as text. */
export function projectText(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
}

/** The cells of the first table below a heading, its head included. */
export function tableUnder(text: string, heading: string): string[][] {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const table = /(?:^\|.*\|\n)+/m.exec(section)?.[0] ?? ''
  const lines = table.trimEnd().split('\n')
  const cells = lines.map(line =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map(cell => cell.trim()),
  )
  return cells.filter((_, index) => index !== 1)
}

/** The blocks of code in a language. */
export function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  )
}
