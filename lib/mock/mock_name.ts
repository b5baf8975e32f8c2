// SPDX-License-Identifier: Apache-2.0
import { parseFault } from './fault_text.ts'
import type { MockOptions } from './options.ts'

const scheme = 'mock:'

/** Text becomes what the option wants; what is not here stays text. What the option makes of it is not looked at. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  seed: text => (/^(\d+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : text),
  reinit: yesOrNo,
  'capabilities.stopCopy': yesOrNo,
  'capabilities.p2p': yesOrNo,
  'capabilities.preCopy': yesOrNo,
  'capabilities.dmaLogging': yesOrNo,
  'dmaLog.maxRanges': text => (/^\d+$/.test(text) ? Number(text) : text),
}

function yesOrNo(text: string): unknown {
  return text === 'true' || (text === 'false' ? false : text)
}

/**
 * The options in `mock:size=64MiB,dirty=20MiB/s,latency.SAVE=5ms,fault=SAVE:2:EIO`. The names are those of
 * {@link MockOptions}, with a dot between one and what it is part of; `fault` may come again and again. `mock:` alone is a
 * mock as it is unless told.
 * @throws TypeError for text that names no options, RangeError for a name that comes twice.
 */
export function parseMockName(name: string): MockOptions {
  if (!name.startsWith(scheme)) throw new TypeError(`'${name}' names no mock: write mock: and its options`)
  const options = bare()
  const faults: unknown[] = []
  for (const word of name.slice(scheme.length).split(',').filter(Boolean)) {
    const { field, text } = splitWord(word, name)
    if (field === 'fault') faults.push(parseFault(text))
    else set(options, field, (readers[field] ?? String)(text))
  }
  return { ...options, ...(faults.length > 0 && { faults }) } as MockOptions
}

function splitWord(word: string, name: string): { field: string; text: string } {
  const at = word.indexOf('=')
  if (at > 0) return { field: word.slice(0, at), text: word.slice(at + 1) }
  throw new TypeError(
    `'${word}' in '${name}' is no option=value: write mock:size=64MiB,dirty=20MiB/s, for instance`,
  )
}

type Values = Record<string, unknown>

/** Without names that an object has anyway. */
const bare = (): Values => Object.create(null) as Values

/** Puts the value where its dotted name says. */
function set(options: Values, field: string, value: unknown): void {
  const [outer = '', inner] = field.split('.', 2)
  const holder = inner === undefined ? options : (options[outer] ??= bare())
  const key = inner ?? outer
  if (typeof holder !== 'object' || Object.hasOwn(holder, key))
    throw new RangeError(`option '${field}' of a mock is there twice. Give it once`)
  ;(holder as Values)[key] = value
}
