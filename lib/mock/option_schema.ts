// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Origin } from '../backend/seam.ts'
import type { Capabilities } from '../kernel/feature.ts'
import { VirtualClock } from './clock.ts'
import type { Fault } from './faults.ts'
import { flavourNames, kernelNames, type FlavourName, type KernelName } from './flavours.ts'
import { amountOf, rate, size, time, type Quantity } from './quantities.ts'

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

type Some<K extends string, T> = { readonly [P in K]?: T | undefined }

/** The options as they were given, with amounts as numbers. */
export interface GivenOptions {
  readonly name?: string | undefined
  readonly flavour?: FlavourName | undefined
  readonly kernel?: KernelName | undefined
  readonly capabilities?: Some<keyof Capabilities, boolean> | undefined
  readonly size?: number | undefined
  readonly seed?: bigint | undefined
  readonly dirty?: number | undefined
  readonly workingSet?: number | undefined
  readonly latency?: Some<CommandName, number> | undefined
  readonly bandwidth?: Some<'save' | 'load', number> | undefined
  readonly chunkSize?: number | undefined
  readonly reinit?: boolean | undefined
  readonly estimateSlack?: number | undefined
  readonly faults?: readonly Fault[] | undefined
  readonly clock?: VirtualClock | undefined
  readonly origin?: Origin | undefined
  readonly dmaLog?: Some<'minPageSize' | 'maxPageSize' | 'maxRanges' | 'maxSpan', number> | undefined
}

type Schema<T> = v.GenericSchema<unknown, T>

/** Anything from 0. */
function anyAmount(quantity: Quantity): Schema<number> {
  const { noun, example } = quantity
  const message = `it is not ${noun}. Give a number, or text such as '${example}'`
  return v.pipe(
    v.union([v.number(), v.string()], message),
    v.transform(given => amountOf(given, quantity)),
    v.number(message),
    v.minValue(0, `it is less than 0. Give ${noun}, such as '${example}'`),
  )
}

function amount(quantity: Quantity): Schema<number> {
  return v.pipe(
    anyAmount(quantity),
    v.finite(`it is without end. Give ${quantity.noun}, such as '${quantity.example}'`),
  )
}

/** Infinity takes no time; 0 would take for ever. */
const bandwidth = v.pipe(
  anyAmount(rate),
  v.gtValue(0, "it is 0, and nothing would ever come. Give more, such as '1GiB/s'"),
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

function some(names: readonly string[], schema: v.GenericSchema): v.GenericSchema {
  return table(Object.fromEntries(names.map(name => [name, v.optional(schema)])))
}

const yesOrNo = v.boolean('it is neither true nor false. Give one of them')

const noSeed = 'it is no whole number from 0 below 2^64. Give one, for instance 42n'
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

const entries = {
  name: v.pipe(
    v.string('it is no text. Give one'),
    v.nonEmpty('it is empty. Give one that messages can call it by'),
  ),
  flavour: one(flavourNames),
  kernel: one(kernelNames),
  capabilities: some(['stopCopy', 'p2p', 'preCopy', 'dmaLogging'], yesOrNo),
  size: amount(size),
  seed,
  dirty: amount(rate),
  workingSet: amount(size),
  latency: some(commandNames, amount(time)),
  bandwidth: some(['save', 'load'], bandwidth),
  chunkSize: amount(size),
  reinit: yesOrNo,
  estimateSlack: amount(size),
  faults: v.array(v.any(), 'it is no array of faults. Give one'),
  clock: v.instance(
    VirtualClock,
    'it is no VirtualClock. Give one, or leave it out for the time of the machine',
  ),
  origin: one(['opened', 'lent']),
  dmaLog: table({
    minPageSize: v.optional(amount(size)),
    maxPageSize: v.optional(amount(size)),
    maxRanges: v.optional(v.number('it is no number. Give one')),
    maxSpan: v.optional(amount(size)),
  }),
}

/** The options, by the names that they have in text as well, and the names of their parts. */
export const optionNames: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(entries).map(([name, entry]) => [
    name,
    'entries' in entry ? Object.keys(Object(entry.entries) as object) : [],
  ]),
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
