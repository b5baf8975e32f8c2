// SPDX-License-Identifier: Apache-2.0
// Files of the project that a script writes.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { say } from './steps.mjs'

/** @param {string} path @param {string} text */
export function write(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  say(`Written: ${path}`)
}

/** As `npm run format` leaves it. @param {string} path @param {string} text */
export async function writeFormatted(path, text) {
  const { format, resolveConfig } = await import('prettier')
  write(path, await format(text, { ...(await resolveConfig(path)), filepath: path }))
}

/** @param {string} path the document's @param {(text: string) => string} change */
export async function rewriteDocument(path, change) {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '# Performance\n'
  await writeFormatted(path, change(text))
}
