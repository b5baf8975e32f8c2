// SPDX-License-Identifier: Apache-2.0
import type { Control, Flavour, KernelSeries, Subject } from './subject.ts'

/** Code of the VFIO core, which every driver shares; or one driver, on which the rule is shown. */
export type Witness = 'core' | 'mtty' | 'mlx5'

/**
 * How it is known that a rule holds. 'core': its code is the VFIO core's, so any real driver shows it. 'mtty', 'mlx5': that
 * driver shows it. 'read only': it was only read in a driver's source, and runs on stand-ins alone.
 */
export type Evidence = readonly [Witness, ...Witness[]] | 'read only'

/** The parts of the contract, in the order of its rules. */
export type Part =
  | 'features'
  | 'state machine'
  | 'sessions'
  | 'data_fd'
  | 'regions'
  | 'idle and end'
  | 'precopy info'
  | 'data size'
  | 'target parser'
  | 'reset'
  | 'errors mid-path'
  | 'firmware status'
  | 'firmware model'
  | 'fallback'
  | 'chunk mode'
  | 'REINIT'
  | 'detached PF'
  | 'DMA logging'
  | 'concurrent calls'
  | 'life cycle'

/** What a subject must be and offer for a rule to say anything about it. A field that is left out asks for nothing. */
export interface Needs {
  /** Bits that the device's migration flags must have. */
  readonly flags?: number
  /** The migration flags, all of them. */
  readonly exactFlags?: number
  /** Without this field: every device that migrates. */
  readonly flavours?: readonly Flavour[]
  readonly kernels?: readonly KernelSeries[]
  /** Whether the driver has DMA logging. */
  readonly logging?: boolean
  readonly controls?: readonly Control[]
}

/** One sentence about the kernel, and the proof that a subject keeps to it. */
export interface Rule {
  /** Unique, for `--grep` and for lists. */
  readonly id: string
  /** A sentence of what holds. */
  readonly name: string
  readonly where: Part
  readonly evidence: Evidence
  readonly needs: Needs
  run(subject: Subject): Promise<void>
}

/** Whether the rule says something about such a device, if only it could be asked. */
export function isAbout({ needs }: Rule, subject: Subject): boolean {
  const { flags = 0, exactFlags = subject.flags, flavours, kernels, logging = subject.logging } = needs
  return (
    (flavours?.includes(subject.flavour) ?? subject.flavour !== 'none') &&
    (subject.flags & flags) === flags &&
    subject.flags === exactFlags &&
    (kernels?.includes(subject.kernel) ?? true) &&
    subject.logging === logging
  )
}

/** What the rule asks for and the subject does not have. */
export function missing({ needs }: Rule, subject: Subject): Control[] {
  return needs.controls?.filter(control => !subject.controls.has(control)) ?? []
}

/** Whether the rule says something about the subject, and can be run on it. */
export function applies(rule: Rule, subject: Subject): boolean {
  return isAbout(rule, subject) && missing(rule, subject).length === 0
}
