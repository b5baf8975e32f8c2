// SPDX-License-Identifier: Apache-2.0
import { errnoName, errnoText } from './kernel/errno.ts'
import type { StateName } from './kernel/state.ts'

/** One step of the kernel's state machine that was made, and how long the SET took. */
export interface Arc {
  readonly from: StateName
  readonly to: StateName
  readonly ms: number
}

/**
 * What is left to do with the device after a failure.
 * `'none'`: it is as it was, or as `state` says, and needs no reset. `'reset'`: only `reset()` or `close()` help.
 */
export type Recovery = 'none' | 'reset'

/** Facts that a failure of a device carries beside its message. */
export interface FailureDetails {
  /** What the message calls the device. */
  device?: string | undefined
  /** The arcs that succeeded before the failure. */
  arcs?: readonly Arc[] | undefined
  /** The arc that failed. */
  failedArc?: { readonly from: StateName; readonly to: StateName } | undefined
  /** The state that the kernel answered after the failure; absent when it was not, or could not be, asked. */
  state?: StateName | undefined
  recovery?: Recovery | undefined
  cause?: unknown
}

/** Codes of failures that are found by this library and not by the kernel. Each is explained in docs/errors.md. */
export const vfioErrorCodes = [
  'ERR_VFIO_ADDON',
  'ERR_VFIO_BUSY',
  'ERR_VFIO_CAPABILITY',
  'ERR_VFIO_CLOSED',
  'ERR_VFIO_HELD_BACK',
  'ERR_VFIO_INCOMPLETE',
  'ERR_VFIO_LINK',
  'ERR_VFIO_LOAD_FAILED',
  'ERR_VFIO_LOCKED',
  'ERR_VFIO_MIGRATION',
  'ERR_VFIO_NO_DEVICE',
  'ERR_VFIO_NO_PATH',
  'ERR_VFIO_NO_SESSION',
  'ERR_VFIO_NOT_BOUND',
  'ERR_VFIO_NOT_MIGRATABLE',
  'ERR_VFIO_OPEN',
  'ERR_VFIO_OVERRUN',
  'ERR_VFIO_OWNERSHIP',
  'ERR_VFIO_PARTICIPANT',
  'ERR_VFIO_POISONED',
  'ERR_VFIO_POLICY',
  'ERR_VFIO_PROTOCOL',
  'ERR_VFIO_REFUSED',
  'ERR_VFIO_REGION_STATE',
  'ERR_VFIO_SESSION_ENDED',
  'ERR_VFIO_STATE_MOVED',
  'ERR_VFIO_STREAM_DESTROYED',
  'ERR_VFIO_UNKNOWN_STATE',
] as const

/** One of {@link vfioErrorCodes}. */
export type VfioErrorCode = (typeof vfioErrorCodes)[number]

const brand = Symbol.for('vfio-migrate.error')

abstract class BrandedError extends Error {
  abstract readonly code: string
  readonly device: string | undefined
  readonly arcs: readonly Arc[]
  readonly failedArc: { readonly from: StateName; readonly to: StateName } | undefined
  readonly state: StateName | undefined
  readonly recovery: Recovery

  constructor(message: string, details: FailureDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.device = details.device
    this.arcs = details.arcs ?? []
    this.failedArc = details.failedArc
    this.state = details.state
    this.recovery = details.recovery ?? 'none'
    Object.defineProperty(this, brand, { value: true })
  }
}

/** A failure that this library found. `code` is API; the message is for people. */
export class VfioError extends BrandedError {
  override readonly name = 'VfioError'
  override readonly code: VfioErrorCode

  constructor(code: VfioErrorCode, message: string, details: FailureDetails = {}) {
    super(message, details)
    this.code = code
  }
}

/** A failure that the kernel answered. `code` is the errno's name, `errno` its negative number, as Node has them. */
export class VfioSystemError extends BrandedError {
  override readonly name = 'VfioSystemError'
  override readonly code: string
  readonly errno: number
  /** `'ioctl'`, `'read'`, `'write'`, `'open'`… */
  readonly syscall: string
  /** The ioctl's name in vfio.h, for instance `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`. */
  readonly request: string | undefined
  readonly path: string | undefined

  constructor(
    answer: number,
    call: { syscall: string; request?: string | undefined; path?: string | undefined },
    details: FailureDetails & { remedy?: string | undefined } = {},
  ) {
    const subject = details.device ?? call.path
    const what = [call.syscall, call.request, subject === undefined ? undefined : `'${subject}'`]
    const head = `${errnoName(answer)}: ${errnoText(answer)}, ${what.filter(Boolean).join(' ')}`
    super(details.remedy === undefined ? head : `${head}. ${details.remedy}`, details)
    this.code = errnoName(answer)
    this.errno = -Math.abs(answer)
    this.syscall = call.syscall
    this.request = call.request
    this.path = call.path
  }
}

/** True for every error that this library makes, also across two copies of it. AbortError and TypeError are Node's. */
export function isVfioError(error: unknown): error is VfioError | VfioSystemError {
  return error instanceof Error && brand in error
}
