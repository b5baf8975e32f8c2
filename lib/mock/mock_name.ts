// SPDX-License-Identifier: Apache-2.0
import { parseFault } from './fault_text.ts'
import { optionMessage, textOptions } from './option_schema.ts'
import type { MockOptions } from './options.ts'

const scheme = 'mock:'

/**
 * The options in `mock:size=64MiB,dirty=20MiB/s,latency.SAVE=5ms,fault=SAVE:2:EIO`. The names are those of
 * {@link MockOptions}, with a dot between one and what it is part of; `fault` may come again and again. `mock:` alone is a
 * mock as it is unless told. What an option makes of its value is not looked at.
 * @throws TypeError for text that names no options, RangeError for a name that comes twice.
 */
export function parseMockName(name: string): MockOptions {
  if (!name.startsWith(scheme)) throw new TypeError(`'${name}' names no mock: write mock: and its options`)
  const given = new Map<string, unknown>()
  const faults: unknown[] = []
  for (const word of name.slice(scheme.length).split(',').filter(Boolean)) {
    const { field, text } = splitWord(word, name)
    if (field === 'fault') faults.push(faultOf(text))
    else put(given, field, text)
  }
  return { ...nested(given), ...(faults.length > 0 && { faults }) } as MockOptions
}

function splitWord(word: string, name: string): { field: string; text: string } {
  const at = word.indexOf('=')
  if (at > 0) return { field: word.slice(0, at), text: word.slice(at + 1) }
  throw new TypeError(
    `'${word}' in '${name}' is no option=value: write mock:size=64MiB,dirty=20MiB/s, for instance`,
  )
}

function faultOf(text: string): unknown {
  try {
    return parseFault(text)
  } catch (error) {
    throw new TypeError(optionMessage(`fault=${text}`, (error as Error).message), { cause: error })
  }
}

function put(given: Map<string, unknown>, field: string, text: string): void {
  const read = textOptions.get(field)
  if (read === undefined)
    throw new TypeError(optionMessage(field, `there is none of that name. ${others(field)}`))
  if (given.has(field)) throw new RangeError(optionMessage(field, 'it is there twice. Give it once'))
  given.set(field, read(text))
}

/** What may have been meant: the parts of that option, or all options. */
function others(field: string): string {
  const names = [...textOptions.keys()]
  const outer = `${field.split('.', 1)[0]}.`
  const parts = names.filter(name => name.startsWith(outer))
  const all = [...new Set(names.map(name => name.replace(/\..*/, '.…'))), 'fault']
  return `There are: ${(parts.length > 0 ? parts : all).join(', ')}`
}

/** A dotted name is a part of what is before its dot. All of them are names that there are. */
function nested(given: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  for (const [field, value] of given) {
    const [outer = '', inner] = field.split('.')
    if (inner === undefined) options[outer] = value
    else options[outer] = { ...Object(options[outer]), [inner]: value } as unknown
  }
  return options
}
