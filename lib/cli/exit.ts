// SPDX-License-Identifier: Apache-2.0
import type { Finding } from '../index.ts'

/**
 * What the command exits with. The numbers are API; the README repeats the table.
 *
 * Between `failed` and `left` the kernel decides: each device is asked for its state after the recovery. A PCI function
 * that was opened by name was blank by being opened; when it was reset, and is blank again, it is as before, and a
 * sentence says that it was reset. An mdev is so only when nothing was loaded into it. A lent device that has lost the state that it held is not, whatever it answers.
 */
export const exitCodes = {
  done: 0,
  /** Failed, and every device is as it was before the command. */
  failed: 1,
  /** The command line cannot be meant as it is, or for devices as they are; none was driven. */
  usage: 2,
  /** A device that is missing, cannot be opened or cannot migrate; something of this machine that is missing. */
  unable: 3,
  /** A device has lost the state that it held, or is left in another one, or does not tell; or whoever drives it was not told to go on: act now. */
  left: 4,
  timeout: 124,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

/** Failures whose code says more than "failed" does, as long as every device is as it was. */
const byErrorCode: Readonly<Record<string, number>> = {
  ERR_VFIO_USAGE: exitCodes.usage,
  ERR_VFIO_UNKNOWN_STATE: exitCodes.usage,
  ERR_VFIO_NO_PATH: exitCodes.usage,
  ERR_VFIO_REFUSED: exitCodes.usage,
  ERR_VFIO_ADDON: exitCodes.unable,
  ERR_VFIO_CAPABILITY: exitCodes.unable,
  ERR_VFIO_NO_DEVICE: exitCodes.unable,
  ERR_VFIO_NOT_BOUND: exitCodes.unable,
  ERR_VFIO_NOT_MIGRATABLE: exitCodes.unable,
  ERR_VFIO_OPEN: exitCodes.unable,
  ERR_VFIO_PREREQUISITE: exitCodes.unable,
}

/** What a command exits with that failed with `code` and left every device as it was. */
export function exitCodeFor(code: string): number {
  return byErrorCode[code] ?? exitCodes.failed
}

/** A device that does not migrate is none that was named wrongly. */
export function exitCodeOfRefusal(findings: readonly Finding[]): number {
  return findings.some(({ id }) => id === 'not-migratable')
    ? exitCodes.unable
    : exitCodeFor('ERR_VFIO_REFUSED')
}
