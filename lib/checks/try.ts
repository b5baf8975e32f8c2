// SPDX-License-Identifier: Apache-2.0
import type { OpenStep } from '../backend/seam.ts'

/** One way in that was tried and failed. */
export interface OpenTry {
  readonly via: 'cdev' | 'group'
  /** The system call that failed. */
  readonly step: OpenStep
  /** -errno. */
  readonly result: number
  /** The node that the call was made on. */
  readonly path: string
  /** True when a VF token was given along. */
  readonly token?: boolean | undefined
}
