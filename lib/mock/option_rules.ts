// SPDX-License-Identifier: Apache-2.0
import type { Capabilities } from '../kernel/feature.ts'
import { capabilitiesOfFlavour, flavourNames, flavours, type FlavourName } from './flavours.ts'
import { optionMessage, type GivenOptions } from './option_schema.ts'
import { optionUses, type OptionUse } from './option_use.ts'
import type { ResolvedOptions } from './options.ts'

/** Something that no device can be, alone or together with the rest. */
interface Rule {
  readonly field: string
  readonly applies: (resolved: ResolvedOptions, given: GivenOptions) => boolean
  readonly cause: (resolved: ResolvedOptions) => string
  readonly remedy: string
}

const kibibyte = 1024
const gibibyte = kibibyte ** 3

/** The header of an image and one page: less than that is no chunk. */
const smallestChunk = 80 + 4 * kibibyte

const isPowerOfTwo = (number: number): boolean => number >= 1 && Number.isInteger(Math.log2(number))

/** The flavours of which something is true, as a remedy names them. */
function flavoursThat(can: (flavour: ResolvedOptions['flavour']) => boolean): string {
  return oneOf(flavourNames.filter(name => can(flavours[name])))
}

function oneOf(names: readonly FlavourName[]): string {
  return `flavour ${names.join(', ').replace(/, ([^,]*)$/, ' or $1')}`
}

const flavourRule: Rule = {
  field: 'flavour',
  applies: ({ flavour, kernel }) => flavour.flags[kernel] === undefined,
  cause: ({ flavour, kernel }) => `Linux ${kernel} has no driver ${flavour.driver}`,
  remedy: 'Give kernel 7.2',
}

function capabilityRule(name: keyof Capabilities): Rule {
  return {
    field: `capabilities.${name}`,
    applies: ({ flavour, kernel }, { capabilities }) =>
      capabilities?.[name] === true && !capabilitiesOfFlavour(flavour, kernel)[name],
    cause: ({ flavour, kernel }) => `${flavour.driver} of Linux ${kernel} does not have it`,
    remedy: 'Leave it out, or take another flavour or kernel',
  }
}

function needsStopCopy(name: 'p2p' | 'preCopy'): Rule {
  return {
    field: `capabilities.${name}`,
    applies: ({ capabilities }) => capabilities[name] && !capabilities.stopCopy,
    cause: () => 'without STOP_COPY there is no migration',
    remedy: 'Leave it out, or do not take away capabilities.stopCopy',
  }
}

/** What a device is without one of them. */
const without: Readonly<Record<keyof Capabilities, string>> = {
  stopCopy: 'does not migrate',
  p2p: 'has no P2P states',
  preCopy: 'has no PRE_COPY',
  dmaLogging: 'logs no DMA',
}

/** Nothing would come of the option: its flavour has no use for it, or what it is for was taken away. */
function useRules({ field, flavours, lack, needs, given }: OptionUse): Rule[] {
  const isGiven = (options: GivenOptions): boolean => Boolean(given(options))
  const byFlavour: Rule = {
    field,
    applies: ({ flavour }, options) => isGiven(options) && !flavours.includes(flavour.name),
    cause: ({ flavour }) => `${flavour.driver} ${lack}`,
    remedy: `Leave it out, or take ${oneOf(flavours)}`,
  }
  if (needs === undefined) return [byFlavour]
  const byCapability: Rule = {
    field,
    applies: ({ capabilities }, options) => isGiven(options) && !capabilities[needs],
    cause: ({ flavour, kernel }) => `this ${flavour.driver} of Linux ${kernel} ${without[needs]}`,
    remedy: `Leave it out, or take a flavour and a kernel that have ${needs}, and do not take it away`,
  }
  return [byFlavour, byCapability]
}

const sizeRules: readonly Rule[] = [
  {
    field: 'size',
    applies: ({ flavour }, { size }) => size !== undefined && flavour.streamBytes !== undefined,
    cause: ({ flavour }) => `the stream of ${flavour.driver} always has ${flavour.streamBytes} bytes`,
    remedy: `Leave it out, or take ${flavoursThat(({ streamBytes }) => streamBytes === undefined)}`,
  },
  {
    field: 'size',
    applies: ({ size }) => !(size >= kibibyte && size <= gibibyte && size % kibibyte === 0),
    cause: ({ size }) => `${size} is not from 1 KiB to 1 GiB in steps of 1 KiB`,
    remedy: 'Give 64MiB, for instance',
  },
  {
    field: 'size',
    applies: ({ size, flavour }) => size > flavour.largestSize,
    cause: ({ flavour }) =>
      `more than ${flavour.largestSize} bytes do not fit into the stream of ${flavour.driver}`,
    remedy: 'Give less, or take another flavour',
  },
  {
    field: 'workingSet',
    applies: ({ workingSet, size }) => !(workingSet > 0 && workingSet <= size),
    cause: ({ workingSet, size }) => `${workingSet} is not from 1 to the ${size} bytes that the device has`,
    remedy: 'Give less, or a larger size',
  },
]

const mlx5Rules: readonly Rule[] = [
  {
    field: 'chunkSize',
    applies: ({ chunkSize }) =>
      chunkSize !== undefined && !(chunkSize >= smallestChunk && chunkSize <= gibibyte),
    cause: ({ chunkSize }) =>
      `${chunkSize} is not from ${smallestChunk} bytes (a header and a page) to 1 GiB`,
    remedy: 'Give 1MiB, for instance',
  },
  {
    field: 'reinit',
    applies: ({ reinit, kernel }) => reinit && kernel === '6.12',
    cause: () => 'Linux 6.12 has no VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, which reports it',
    remedy: 'Leave it out, or take kernel 7.2',
  },
]

const logRules: readonly Rule[] = [
  ...(['minPageSize', 'maxPageSize'] as const).map(name => ({
    field: `dmaLog.${name}`,
    applies: ({ dmaLog }: ResolvedOptions) => !isPowerOfTwo(dmaLog[name]),
    cause: ({ dmaLog }: ResolvedOptions) => `${dmaLog[name]} is no power of two`,
    remedy: 'Give 4KiB, for instance',
  })),
  {
    field: 'dmaLog.maxPageSize',
    applies: ({ dmaLog }) => dmaLog.maxPageSize < dmaLog.minPageSize,
    cause: ({ dmaLog }) => `${dmaLog.maxPageSize} is less than the ${dmaLog.minPageSize} of minPageSize`,
    remedy: 'Give more, or a smaller minPageSize',
  },
  {
    field: 'dmaLog.maxRanges',
    applies: ({ dmaLog }) => !(Number.isInteger(dmaLog.maxRanges) && dmaLog.maxRanges >= 1),
    cause: ({ dmaLog }) => `${dmaLog.maxRanges} is no number of ranges`,
    remedy: 'Give a whole number from 1',
  },
]

/** In the order in which they are looked at: a rule may rest on those before it. */
const rules: readonly Rule[] = [
  flavourRule,
  ...(['stopCopy', 'p2p', 'preCopy', 'dmaLogging'] as const).map(capabilityRule),
  needsStopCopy('p2p'),
  needsStopCopy('preCopy'),
  ...optionUses.flatMap(useRules),
  ...sizeRules,
  ...mlx5Rules,
  ...logRules,
]

/** @throws RangeError for the first thing that cannot be. */
export function refuseImpossible(given: GivenOptions, resolved: ResolvedOptions): void {
  const rule = rules.find(({ applies }) => applies(resolved, given))
  if (rule === undefined) return
  throw new RangeError(optionMessage(rule.field, `${rule.cause(resolved)}. ${rule.remedy}`))
}
