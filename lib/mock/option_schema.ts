// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import { VirtualClock } from './clock.ts'
import { flavourNames, kernelNames } from './flavours.ts'
import type { MockOptions } from './options.ts'
import { amountOf, howToGive, rate, size, time, type Quantity } from './quantities.ts'

/** A number, or text with a unit. */
export type Amount = number | string

/** The commands of the firmware, and its reset: what can take time. */
export const commandNames = [
  'SUSPEND_INITIATOR',
  'SUSPEND_RESPONDER',
  'RESUME_RESPONDER',
  'RESUME_INITIATOR',
  'QUERY',
  'SAVE',
  'LOAD',
  'RESET',
] as const
export type CommandName = (typeof commandNames)[number]

/** An option as it is when it was looked at: amounts are numbers. */
type Parsed<T> = [Amount] extends [T]
  ? number
  : [bigint] extends [T]
    ? bigint
    : T extends string | boolean | number | VirtualClock | readonly unknown[]
      ? T
      : { readonly [K in keyof T]: Parsed<Exclude<T[K], undefined>> | undefined }

/** The options as they were given, with amounts as numbers. */
export type GivenOptions = {
  readonly [K in keyof MockOptions]: Parsed<Exclude<MockOptions[K], undefined>> | undefined
}

type Schema<T> = v.GenericSchema<unknown, T>

/** Anything from 0. */
function anyAmount(quantity: Quantity): Schema<number> {
  const message = `it is not ${quantity.noun}. ${howToGive(quantity)}`
  return v.pipe(
    v.union([v.number(), v.string()], message),
    v.transform(given => amountOf(given, quantity)),
    v.number(message),
    v.minValue(0, `it is less than 0. ${howToGive(quantity)}`),
  )
}

function amount(quantity: Quantity): Schema<number> {
  return v.pipe(anyAmount(quantity), v.finite(`it is without end. ${howToGive(quantity)}`))
}

/** Bytes that are there: whole ones. */
const bytes = v.pipe(
  amount(size),
  v.safeInteger(({ input }) => `${input} is no whole number of bytes below 2^53. ${howToGive(size)}`),
)

/** What nobody has to wait longer for, and no epoch of 64 bits overflows with, in any test. */
const limits = { dirty: 1024 ** 4, bandwidth: 1024, latency: 24 * 3600 * 1000, estimateSlack: 1024 ** 3 }

const dirty = v.pipe(
  amount(rate),
  v.maxValue(limits.dirty, 'it is more than 1 TiB/s. Give less, such as 20MiB/s'),
)

const latency = v.pipe(
  amount(time),
  v.maxValue(limits.latency, 'it is more than a day, 86400s. Give less, such as 5ms'),
)

/** Infinity takes no time; 0 would take for ever. */
const bandwidth = v.pipe(
  anyAmount(rate),
  v.gtValue(0, 'it is 0, and nothing would ever come. Give more, such as 1GiB/s'),
  v.minValue(limits.bandwidth, 'it is less than 1 KiB/s. Give more, such as 1GiB/s'),
)

function one<T extends string>(names: readonly T[]): Schema<T> {
  return v.picklist(names, `it is none of ${names.join(', ')}. Give one of them`)
}

function table(entries: v.ObjectEntries): v.GenericSchema {
  const names = Object.keys(entries).join(', ')
  return v.strictObject(entries, ({ expected }) =>
    expected === 'never'
      ? `there is none of that name. There are: ${names}`
      : `it is no object. Give one with ${names}`,
  )
}

/** A table of which each field is of one kind. */
function some(names: readonly string[], schema: v.GenericSchema): v.GenericSchema {
  return table(Object.fromEntries(names.map(name => [name, v.optional(schema)])))
}

const yesOrNo = v.boolean('it is neither true nor false. Give one of them')

const noSeed = 'it is no whole number from 0 below 2^64. Give one, for instance 42'
const seed = v.pipe(
  v.union(
    [
      v.bigint(),
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.transform(number => BigInt(number)),
      ),
    ],
    noSeed,
  ),
  v.minValue(0n, noSeed),
  v.maxValue(2n ** 64n - 1n, noSeed),
)

const ranges = v.number('it is no number. Give a whole number from 1')

/** Line breaks and the like, which would make two lines of a message. */
const control = /[\p{Cc}\u2028\u2029]/u

const entries: { readonly [K in keyof Required<MockOptions>]: v.GenericSchema } = {
  name: v.pipe(
    v.string('it is no text. Give one'),
    v.nonEmpty('it is empty. Give one that messages can call it by'),
    v.check(name => !control.test(name), 'it has a control character in it. Give one that is a line of text'),
  ),
  flavour: one(flavourNames),
  kernel: one(kernelNames),
  capabilities: some(['stopCopy', 'p2p', 'preCopy', 'dmaLogging'], yesOrNo),
  size: bytes,
  seed,
  dirty,
  workingSet: bytes,
  latency: some(commandNames, latency),
  bandwidth: some(['save', 'load'], bandwidth),
  chunkSize: bytes,
  reinit: yesOrNo,
  estimateSlack: v.pipe(
    bytes,
    v.maxValue(limits.estimateSlack, 'it is more than 1 GiB, the largest state. Give less, such as 64KiB'),
  ),
  faults: v.array(v.any(), 'it is no array of faults. Give one'),
  clock: v.instance(
    VirtualClock,
    'it is no VirtualClock. Give one, or leave it out for the time of the machine',
  ),
  origin: one(['opened', 'lent']),
  dmaLog: table({
    minPageSize: v.optional(bytes),
    maxPageSize: v.optional(bytes),
    maxRanges: v.optional(ranges),
    maxSpan: v.optional(bytes),
  }),
}

const partsOf = (entry: v.GenericSchema): v.ObjectEntries =>
  'entries' in entry ? (entry.entries as v.ObjectEntries) : {}

/** The options and the names of their parts. */
export const optionNames: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(entries).map(([name, entry]) => [name, Object.keys(partsOf(entry))]),
)

type Reader = (text: string) => unknown

/** What text has to become before it is looked at: what is not here is taken as it is. */
const readers = new Map<unknown, Reader>([
  [yesOrNo, text => text === 'true' || (text === 'false' ? false : text)],
  [seed, text => (/^(\d+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : text)],
  [ranges, text => (/^\d+$/.test(text) ? Number(text) : text)],
])

/** Options of which there is no text. */
const textless: readonly string[] = ['clock', 'faults']

/** The options that text can say, by their dotted names, each with what makes its value of the text. */
export const textOptions: ReadonlyMap<string, Reader> = new Map(
  Object.entries(entries)
    .filter(([name]) => !textless.includes(name))
    .flatMap(([name, entry]) => {
      const parts = Object.entries(partsOf(entry)).map(([part, schema]) => {
        const wrapped = 'wrapped' in schema ? schema.wrapped : schema
        return [`${name}.${part}`, readers.get(wrapped) ?? String] as const
      })
      return parts.length > 0 ? parts : [[name, readers.get(entry) ?? String] as const]
    }),
)

const schema = table(
  Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, v.optional(entry)])),
)

/**
 * The options with their amounts as numbers; whether they can be is not looked at.
 * @throws TypeError for an option that there is not, or of the wrong kind.
 * @throws RangeError for one that is out of all range.
 */
export function parseOptions(options: unknown): GivenOptions {
  const { success, output, issues } = v.safeParse(schema, options)
  if (success) return output as GivenOptions
  const [issue] = issues
  const Refusal = issue.kind === 'validation' ? RangeError : TypeError
  throw new Refusal(optionMessage(v.getDotPath(issue) ?? undefined, issue.message))
}

/** How every refusal of an option begins. */
export function optionMessage(field: string | undefined, text: string): string {
  return `${field === undefined ? 'the options of a mock' : `option '${field}' of a mock`}: ${text}`
}
