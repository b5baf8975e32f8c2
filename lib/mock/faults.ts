// SPDX-License-Identifier: Apache-2.0
import { errno, type ErrnoName } from '../kernel/errno.ts'
import type { Capabilities } from '../kernel/feature.ts'
import { nextState, stateNames, type MachineFlags, type StateName } from '../kernel/state.ts'
import type { FlavourName } from './flavours.ts'

/** What a fault can do at a point. */
export interface PointRule {
  /** Where it is, for who reads the list. */
  readonly what: string
  /** The errnos that it can end with there; none for a point that ends with no errno. */
  readonly errno?: readonly ErrnoName[]
  /** It is a command of the firmware, which may answer a status. */
  readonly status?: true
  /** It can be held until it is released. */
  readonly hold?: true
  /** Another holder of the device can reset it meanwhile. */
  readonly reset?: true
  /** Bytes of the stream can be changed or left out. */
  readonly bytes?: true
  /** It is an event, and takes nothing but `nth`. */
  readonly event?: true
  /** The flavours that have it; all unless told. */
  readonly flavours?: readonly FlavourName[]
  /** The capability without which it is never reached: `stopCopy`, unless told. `'nothing'`: without any, too. */
  readonly needs?: 'preCopy' | 'dmaLogging' | 'nothing'
}

const commandErrnos = [
  'ETIMEDOUT',
  'ENOLINK',
  'ENOTCONN',
  'EIO',
  'EINVAL',
  'ENOMEM',
  'EBUSY',
  'EAGAIN',
] as const
const command = { status: true, errno: commandErrnos, hold: true, reset: true } as const
const mlx5 = { flavours: ['mlx5'] } as const
const preCopy = { needs: 'preCopy' } as const
/** mtty has no firmware, and an initiator alone. */
const notMtty = { flavours: ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'xe'] } as const
const logging = { flavours: ['mlx5', 'pds'], needs: 'dmaLogging' } as const
const noMemory = { errno: ['ENOMEM'] } as const
const interrupted = { errno: ['EINTR'], ...mlx5 } as const
const badMemory = { errno: ['EFAULT'] } as const

/** The points that have a name. */
export const pointNames = [
  'SUSPEND_INITIATOR',
  'SUSPEND_RESPONDER',
  'RESUME_RESPONDER',
  'RESUME_INITIATOR',
  'QUERY',
  'SAVE',
  'SAVE_CLEANUP',
  'SAVE_SUBMIT',
  'LOAD',
  'ALLOC_OPEN',
  'ALLOC_PRECOPY_INFO',
  'ALLOC_STOP_COPY',
  'ALLOC_RECORD',
  'WAIT_SUSPEND',
  'WAIT_QUERY',
  'WAIT_SAVE',
  'PREPARE_SESSION',
  'INSTALL_FD',
  'READ',
  'WRITE',
  'PRECOPY_INFO',
  'RESET',
  'STREAM',
  'LOG_START',
  'LOG_REPORT',
  'TRACKER',
  'ADAPTER_RECOVERY',
] as const
export type NamedPoint = (typeof pointNames)[number]

/**
 * Every point at which a simulated device can fail, beside its arcs. Source: the calls in drivers/vfio/vfio_main.c and
 * drivers/vfio/pci/mlx5 of Linux 7.2 that can.
 */
// prettier-ignore
const points: Readonly<Record<NamedPoint, PointRule>> = {
  SUSPEND_INITIATOR: { what: 'the command, in RUNNING -> RUNNING_P2P and PRE_COPY -> PRE_COPY_P2P', ...command },
  SUSPEND_RESPONDER: { what: 'the command, in RUNNING_P2P -> STOP and PRE_COPY_P2P -> STOP_COPY', ...command, ...notMtty },
  RESUME_RESPONDER: { what: 'the command, in STOP -> RUNNING_P2P', ...command, ...notMtty },
  RESUME_INITIATOR: { what: 'the command, in RUNNING_P2P -> RUNNING and PRE_COPY_P2P -> PRE_COPY', ...command },
  QUERY: { what: 'the command: how much a SAVE would give', ...command, flavours: ['mlx5', 'virtio', 'pds'] },
  SAVE: { what: 'the command at its end, when the call that began it has long returned', ...command, ...notMtty },
  SAVE_CLEANUP: { what: 'that of them with which pre-copy is given up', ...command, ...mlx5, ...preCopy },
  SAVE_SUBMIT: { what: 'giving the command to the firmware', errno: ['ENOMEM', 'EIO', 'ENXIO', 'ENOTCONN'], ...mlx5 },
  LOAD: { what: 'the command, in the write of the last byte of an image', ...command, ...notMtty },
  ALLOC_OPEN: { what: 'memory of a session that opens', ...noMemory },
  ALLOC_PRECOPY_INFO: { what: 'memory for the image that precopy info has made', ...noMemory, ...mlx5, ...preCopy },
  ALLOC_STOP_COPY: { what: 'memory for the final image', ...noMemory, ...mlx5, ...preCopy },
  ALLOC_RECORD: { what: 'memory for a record that is loaded', ...noMemory, flavours: ['mlx5', 'virtio'] },
  WAIT_SUSPEND: { what: 'waiting for a SAVE that runs, before a suspension', ...interrupted, ...preCopy },
  WAIT_QUERY: { what: 'waiting for it, before an incremental query', ...interrupted, ...preCopy },
  WAIT_SAVE: { what: 'waiting for it, before the next SAVE', ...interrupted },
  PREPARE_SESSION: { what: 'what a session needs of this process, before the SET', errno: ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'] },
  INSTALL_FD: { what: 'giving the data_fd to the process, when the state has moved', errno: ['EMFILE', 'EFAULT'] },
  READ: { what: 'copying to the reader: the bytes of that read are lost', ...badMemory },
  WRITE: { what: 'copying from the writer', ...badMemory },
  PRECOPY_INFO: { what: 'copying the answer to the caller, when all is done', ...badMemory, ...preCopy },
  RESET: { what: 'VFIO_DEVICE_RESET', errno: ['EINVAL', 'EAGAIN', 'ENOTTY'], hold: true, needs: 'nothing' },
  STREAM: { what: 'what a saving session gives out', bytes: true },
  LOG_START: { what: 'making the tracker', ...command, ...logging },
  LOG_REPORT: { what: 'asking the tracker', ...command, ...logging },
  TRACKER: { what: 'the tracker breaks when it is asked', event: true, ...logging },
  ADAPTER_RECOVERY: { what: 'the adapter recovers before a call: the state becomes ERROR', event: true, flavours: ['pds'] },
}

/** An arc of the state machine as a point: for the flavours whose arcs have no commands of their own. */
export type ArcPoint = `${StateName}->${StateName}`
export type FaultPoint = NamedPoint | ArcPoint

/** Something that goes wrong: at the `nth` time from now on that the point is reached. */
export interface Fault {
  readonly on: FaultPoint
  /** 1, the next, unless told. */
  readonly nth?: number | undefined
  /** The firmware's status, 1 to 255. */
  readonly status?: number | undefined
  readonly errno?: ErrnoName | undefined
  /** It does not end before `releaseHeld()`. */
  readonly hold?: boolean | undefined
  /** Another holder of the device resets it when this begins. */
  readonly reset?: boolean | undefined
  /** The byte at this offset of the stream is inverted. */
  readonly flip?: number | undefined
  /** The stream ends after so many bytes. */
  readonly cut?: number | undefined
}

/** The device that a fault is for. */
export interface FaultTarget {
  readonly flavour: FlavourName
  readonly capabilities: Capabilities
}

const arcErrnos = ['EIO', 'EINVAL', 'ENOMEM', 'EBUSY', 'EAGAIN', 'ETIMEDOUT', 'ENODEV', 'EFAULT'] as const

/** The points that a device has, with what can be put there. */
export function faultPoints({ flavour, capabilities }: FaultTarget): Readonly<Record<string, PointRule>> {
  const named = Object.entries(points).filter(
    ([, { flavours, needs }]) =>
      (flavours?.includes(flavour) ?? true) && (needs === 'nothing' || capabilities[needs ?? 'stopCopy']),
  )
  // The arcs of mlx5 fail by their commands, and those without one cannot.
  const arcs = flavour === 'mlx5' || !capabilities.stopCopy ? [] : arcPoints(capabilities)
  const rule: PointRule = { what: 'the arc', errno: arcErrnos, hold: true, reset: true }
  return Object.fromEntries([...named, ...arcs.map(arc => [arc, rule] as const)])
}

function arcPoints(flags: MachineFlags): ArcPoint[] {
  return stateNames.flatMap(from =>
    stateNames
      .filter(to => from !== to && nextState(from, to, flags) === to)
      .map(to => `${from}->${to}` as const),
  )
}

const whole = (low: number, high = Number.MAX_SAFE_INTEGER) => ({
  test: (value: unknown) => Number.isSafeInteger(value) && Number(value) >= low && Number(value) <= high,
  kind:
    high === Number.MAX_SAFE_INTEGER ? `a whole number from ${low}` : `a whole number from ${low} to ${high}`,
})
const yesOrNo = { test: (value: unknown) => typeof value === 'boolean', kind: 'true or false' }

const fields: Readonly<
  Record<Exclude<keyof Fault, 'on'>, { test: (value: unknown) => boolean; kind: string }>
> = {
  nth: whole(1),
  status: whole(1, 255),
  errno: { test: value => typeof value === 'string' && value in errno, kind: 'the name of an errno' },
  hold: yesOrNo,
  reset: yesOrNo,
  flip: whole(0),
  cut: whole(0),
}

/** The fields that do something, and whether a point takes each. */
const effects: readonly [Exclude<keyof Fault, 'on' | 'nth'>, (rule: PointRule) => boolean][] = [
  ['status', rule => rule.status ?? false],
  ['errno', rule => rule.errno !== undefined],
  ['hold', rule => rule.hold ?? false],
  ['reset', rule => rule.reset ?? false],
  ['flip', rule => rule.bytes ?? false],
  ['cut', rule => rule.bytes ?? false],
]

/**
 * Answers a copy of `fault`, which nobody changes, when the device could have it.
 * @throws TypeError that names the field for a point that there is not, or for what cannot be there.
 */
export function validateFault(fault: unknown, target: FaultTarget): Fault {
  if (typeof fault !== 'object' || fault === null) throw refused('', 'it is no object')
  const given = Object.freeze({ ...fault }) as Fault
  const rule = ruleOf(given.on, target)
  checkFields(given, rule)
  if (given.errno !== undefined && !rule.errno?.includes(given.errno)) {
    throw refused(
      '.errno',
      `${given.on} cannot end with ${given.errno}, but with ${rule.errno?.join(' ') ?? ''}`,
    )
  }
  if (given.status !== undefined && given.errno !== undefined) {
    throw refused('.errno', 'a command ends with a status or with an errno, not with both')
  }
  if (rule.event !== true && !effects.some(([field]) => isGiven(given[field]))) {
    const names = effects.filter(([, takes]) => takes(rule)).map(([field]) => field)
    throw refused('', `nothing is to happen at ${given.on}: give ${names.join(' or ')}`)
  }
  return given
}

function ruleOf(on: unknown, target: FaultTarget): PointRule {
  const rules = faultPoints(target)
  const rule = typeof on === 'string' && Object.hasOwn(rules, on) ? rules[on] : undefined
  if (rule !== undefined) return rule
  throw refused(
    '.on',
    `${target.flavour} has no point '${String(on)}'. It has ${Object.keys(rules).join(' ')}`,
  )
}

function checkFields(given: Fault, rule: PointRule): void {
  for (const [field, value] of Object.entries(given)) {
    if (field === 'on' || value === undefined) continue
    if (!Object.hasOwn(fields, field)) throw refused(`.${field}`, 'a fault has no such field')
    const { test, kind } = fields[field as keyof typeof fields]
    if (!test(value)) throw refused(`.${field}`, `it is ${String(value)}, not ${kind}`)
  }
  for (const [field, takes] of effects) {
    if (isGiven(given[field]) && !takes(rule)) throw refused(`.${field}`, `${given.on} has none`)
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false
}

function refused(field: string, why: string): TypeError {
  return new TypeError(`fault${field}: ${why}`)
}

/** For messages and for the page about the mock: every flavour's names are checked against it. */
export const allFaultPoints: Readonly<Record<NamedPoint, PointRule>> = points
