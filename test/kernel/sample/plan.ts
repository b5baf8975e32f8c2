// SPDX-License-Identifier: Apache-2.0
import { errno } from '#lib/kernel/errno.js'
import type { NamedPoint } from '#lib/mock/faults.js'
import type { Fault } from '#lib/mock/index.js'

/** Faults that are counted down. */
export class Plan {
  #armed: { readonly fault: Fault; left: number }[]

  constructor(faults: readonly Fault[]) {
    this.#armed = faults.map(fault => ({ fault, left: fault.nth ?? 1 }))
  }

  /** Those of faults that are still to come. */
  get points(): string[] {
    return this.#armed.map(({ fault }) => fault.on)
  }

  /** The fault that strikes now that the device has come to this point. */
  take(point: NamedPoint): Fault | undefined {
    const here = this.#armed.filter(({ fault }) => fault.on === point)
    for (const armed of here) armed.left--
    const struck = here.find(({ left }) => left === 0)
    this.#armed = this.#armed.filter(armed => armed !== struck)
    return struck?.fault
  }

  /** -errno of that fault, or 0. */
  errnoAt(point: NamedPoint): number {
    const name = this.take(point)?.errno
    return name === undefined ? 0 : -errno[name]
  }
}
