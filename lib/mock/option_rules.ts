// SPDX-License-Identifier: Apache-2.0
import type { Capabilities } from '../kernel/feature.ts'
import { capabilitiesOfFlavour, flavourNames, flavours } from './flavours.ts'
import { optionMessage, type GivenOptions } from './option_schema.ts'
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
  return `flavour: ${flavourNames.filter(name => can(flavours[name])).join(' | ')}`
}

const flavourRule: Rule = {
  field: 'flavour',
  applies: ({ flavour, kernel }) => flavour.flags[kernel] === undefined,
  cause: ({ flavour, kernel }) => `Linux ${kernel} has no driver ${flavour.driver}`,
  remedy: "Give kernel: '7.2'",
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
    remedy: `Leave it out, or give stopCopy: true`,
  }
}

const sizeRules: readonly Rule[] = [
  {
    field: 'size',
    applies: ({ flavour }, { size }) => size !== undefined && flavour.streamBytes !== undefined,
    cause: ({ flavour }) => `the stream of ${flavour.driver} always has ${flavour.streamBytes} bytes`,
    remedy: `Leave it out, or give ${flavoursThat(({ streamBytes }) => streamBytes === undefined)}`,
  },
  {
    field: 'size',
    applies: ({ size }) => !(size >= kibibyte && size <= gibibyte && size % kibibyte === 0),
    cause: ({ size }) => `${size} is not from 1 KiB to 1 GiB in steps of 1 KiB`,
    remedy: "Give '64MiB', for instance",
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
    applies: ({ chunkSize, flavour }) => chunkSize !== undefined && flavour.name !== 'mlx5',
    cause: ({ flavour }) => `${flavour.driver} has no chunk mode`,
    remedy: "Leave it out, or give flavour: 'mlx5'",
  },
  {
    field: 'chunkSize',
    applies: ({ chunkSize }) =>
      chunkSize !== undefined && !(chunkSize >= smallestChunk && chunkSize <= gibibyte),
    cause: ({ chunkSize }) =>
      `${chunkSize} is not from ${smallestChunk} bytes (a header and a page) to 1 GiB`,
    remedy: "Give '1MiB', for instance",
  },
  {
    field: 'reinit',
    applies: ({ reinit, kernel }) => reinit && kernel === '6.12',
    cause: () => 'Linux 6.12 has no VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, which reports it',
    remedy: "Leave it out, or give kernel: '7.2'",
  },
  {
    field: 'reinit',
    applies: ({ reinit, flavour }) => reinit && flavour.name !== 'mlx5',
    cause: ({ flavour }) => `${flavour.driver} never reports it`,
    remedy: "Leave it out, or give flavour: 'mlx5'",
  },
  {
    field: 'reinit',
    applies: ({ reinit, capabilities }) => reinit && !capabilities.preCopy,
    cause: () => 'without PRE_COPY there is no initial image to begin anew',
    remedy: 'Leave it out, or do not take away capabilities.preCopy',
  },
]

const logRules: readonly Rule[] = [
  ...(['minPageSize', 'maxPageSize'] as const).map(name => ({
    field: `dmaLog.${name}`,
    applies: ({ dmaLog }: ResolvedOptions) => !isPowerOfTwo(dmaLog[name]),
    cause: ({ dmaLog }: ResolvedOptions) => `${dmaLog[name]} is no power of two`,
    remedy: "Give '4KiB', for instance",
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
