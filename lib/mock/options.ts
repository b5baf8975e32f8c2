// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto'
import type { Origin } from '../backend/seam.ts'
import type { Capabilities } from '../kernel/feature.ts'
import { realClock, type MockClock, type VirtualClock } from './clock.ts'
import { validateFault, type Fault } from './faults.ts'
import {
  capabilitiesOfFlavour,
  flavours,
  type Flavour,
  type FlavourName,
  type KernelName,
} from './flavours.ts'
import { refuseImpossible } from './option_rules.ts'
import {
  optionMessage,
  parseOptions,
  type Amount,
  type CommandName,
  type GivenOptions,
} from './option_schema.ts'

/** What a mock is to be. Amounts are numbers (bytes, bytes a second, milliseconds) or text such as '64MiB', '20MiB/s', '5ms'. */
export interface MockOptions {
  /** What messages call it; `mock-` and half of its seed unless told. */
  readonly name?: string | undefined
  /** Whose driver's manners it has; mlx5 unless told. */
  readonly flavour?: FlavourName | undefined
  /** Whose kernel's; 7.2 unless told. */
  readonly kernel?: KernelName | undefined
  /** Less than the flavour has. */
  readonly capabilities?: { readonly [K in keyof Capabilities]?: boolean | undefined } | undefined
  /** The bytes of its state; 1 MiB unless told, where the flavour lets one choose. */
  readonly size?: Amount | undefined
  /** Its identity, as a MAC address would be; a random one unless told. */
  readonly seed?: bigint | number | undefined
  /** What its workload writes, at most 1 TiB/s; nothing unless told. */
  readonly dirty?: Amount | undefined
  /** The bytes that the workload writes again and again; all of `size` unless told. */
  readonly workingSet?: Amount | undefined
  /** What each command of its firmware takes, at most a day; nothing unless told. */
  readonly latency?: { readonly [K in CommandName]?: Amount | undefined } | undefined
  /** How fast SAVE and LOAD are beside that, at least 1 KiB/s; without limit unless told. */
  readonly bandwidth?: { readonly save?: Amount | undefined; readonly load?: Amount | undefined } | undefined
  /** STOP_COPY comes in records of at most so many bytes. */
  readonly chunkSize?: Amount | undefined
  /** It can be told to begin with a new initial image. */
  readonly reinit?: boolean | undefined
  /** How much too high the firmware estimates. */
  readonly estimateSlack?: Amount | undefined
  readonly faults?: readonly Fault[] | undefined
  /** Time that the test moves; the machine's own unless told. */
  readonly clock?: VirtualClock | undefined
  /** `'lent'`: it is driven by somebody else, and has a state that opening does not clear. */
  readonly origin?: Origin | undefined
  readonly dmaLog?: { readonly [K in keyof DmaLogLimits]?: Amount | undefined } | undefined
}

/** What a device's DMA log can do. */
export interface DmaLogLimits {
  /** The page sizes between which the wanted one is rounded. */
  readonly minPageSize: number
  readonly maxPageSize: number
  /** Ranges beyond this number are merged. */
  readonly maxRanges: number
  /** The most that all ranges together may span. */
  readonly maxSpan: number
}

/** Options of which none is left open. Bytes, bytes a second, milliseconds. */
export interface ResolvedOptions {
  readonly name: string
  readonly flavour: Flavour
  readonly kernel: KernelName
  readonly capabilities: Capabilities
  readonly size: number
  readonly seed: bigint
  readonly dirty: number
  readonly workingSet: number
  readonly latency: Readonly<Record<CommandName, number>>
  /** Infinity where there is no limit. */
  readonly bandwidth: { readonly save: number; readonly load: number }
  /** Undefined without chunk mode. */
  readonly chunkSize: number | undefined
  readonly reinit: boolean
  readonly estimateSlack: number
  readonly faults: readonly Fault[]
  readonly clock: MockClock
  readonly origin: Origin
  readonly dmaLog: DmaLogLimits
}

const kibibyte = 1024
const mebibyte = kibibyte ** 2

const noLatency: ResolvedOptions['latency'] = {
  SUSPEND_INITIATOR: 0,
  SUSPEND_RESPONDER: 0,
  RESUME_RESPONDER: 0,
  RESUME_INITIATOR: 0,
  QUERY: 0,
  SAVE: 0,
  LOAD: 0,
  RESET: 0,
}

const usualDmaLog: DmaLogLimits = {
  minPageSize: 4 * kibibyte,
  maxPageSize: 2 * mebibyte,
  maxRanges: 16,
  maxSpan: 2 ** 42,
}

/**
 * Fills in what was left open, and refuses what no device could be, before anything is made.
 * @throws TypeError for an option that there is not, or of the wrong kind.
 * @throws RangeError for values that cannot be, alone or together.
 */
export function resolveOptions(options: MockOptions = {}): ResolvedOptions {
  const given = parseOptions(options)
  const flavour = flavours[given.flavour ?? 'mlx5']
  const kernel = given.kernel ?? '7.2'
  const size = given.size ?? Math.min(mebibyte, flavour.largestSize)
  const seed = given.seed ?? randomSeed()
  const resolved: ResolvedOptions = {
    name: given.name ?? `mock-${(seed & 0xffff_ffffn).toString(16).padStart(8, '0')}`,
    flavour,
    kernel,
    capabilities: capabilitiesFor(flavour, kernel, given.capabilities),
    size,
    seed,
    dirty: given.dirty ?? 0,
    workingSet: given.workingSet ?? size,
    latency: { ...noLatency, ...known(given.latency) },
    bandwidth: { save: given.bandwidth?.save ?? Infinity, load: given.bandwidth?.load ?? Infinity },
    chunkSize: given.chunkSize,
    reinit: given.reinit ?? false,
    estimateSlack: given.estimateSlack ?? 0,
    faults: given.faults ?? [],
    clock: given.clock ?? realClock,
    origin: given.origin ?? 'opened',
    dmaLog: { ...usualDmaLog, ...known(given.dmaLog) },
  }
  refuseImpossible(given, resolved)
  checkFaults(resolved)
  return resolved
}

/** What the driver offers, unless it was taken away; without STOP_COPY nothing is left of migration. */
function capabilitiesFor(
  flavour: Flavour,
  kernel: KernelName,
  given: GivenOptions['capabilities'],
): Capabilities {
  const offered = capabilitiesOfFlavour(flavour, kernel)
  const migrates = given?.stopCopy ?? offered.stopCopy
  return { ...offered, ...(migrates ? {} : { p2p: false, preCopy: false }), ...known(given) }
}

/** A fault at a point that the device has not would never come. */
function checkFaults({ faults, flavour, capabilities }: ResolvedOptions): void {
  for (const [index, fault] of faults.entries()) {
    try {
      validateFault(fault, { flavour: flavour.name, capabilities })
    } catch (error) {
      throw new TypeError(optionMessage(`faults.${index}`, (error as Error).message), { cause: error })
    }
  }
}

function randomSeed(): bigint {
  return randomBytes(8).readBigUInt64LE()
}

type Known<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Without what was given as undefined. */
function known<T extends object>(given: T | undefined): Partial<Known<T>> {
  return Object.fromEntries(
    Object.entries(given ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<Known<T>>
}
