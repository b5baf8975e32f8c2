// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { pathTo, type MachineFlags } from '../../kernel/state.ts'
import type { ArcPoint } from '../faults.ts'
import type { Firmware } from '../firmware.ts'
import type { Driver, Kernel, Session } from './driver.ts'

type Made = Session | number

/** What a driver does in each arc that it has: the session that it opened, 0, or -errno. */
export type Arcs = Readonly<Partial<Record<ArcPoint, () => Promise<Made> | Made>>>

/** An arc in which a driver does nothing. */
export const nothing = (): number => 0

/**
 * A driver's step by a table of its arcs. A device from which a capability was taken away has longer arcs than the driver
 * knows: they are made of the driver's own.
 */
export function stepBy(arcs: Arcs, flags: MachineFlags): Driver['step'] {
  return async (from, to) => {
    let made: Made = 0
    let at = from
    for (const next of pathTo(from, to, flags) ?? []) {
      made = (await arcs[`${at}->${next}`]?.()) ?? -errno.EINVAL
      if (typeof made === 'number' && made < 0) return made
      at = next
    }
    return made
  }
}

/** Stops a function that can only be stopped as a whole: 0, or -errno. */
export async function suspendWhole({ firmware }: Kernel): Promise<number> {
  const first = await firmware.suspend('initiator')
  if (first.errno !== 0) return first.errno
  const { errno } = await firmware.suspend('responder')
  // Such a driver has one command for both: where it fails, the function runs on.
  if (errno !== 0) firmware.letRun('initiator')
  return errno
}

/** Lets such a function go on. */
export async function resumeWhole({ firmware }: Kernel): Promise<number> {
  const { errno } = await firmware.resume('responder')
  return errno || (await firmware.resume('initiator')).errno
}

/** One command of {@link Firmware} as an arc. */
export function command(kernel: Kernel, act: 'suspend' | 'resume', half: Parameters<Firmware['suspend']>[0]) {
  return async (): Promise<number> => (await kernel.firmware[act](half)).errno
}

/** There is no memory for a session when a fault says so: 0, or -errno. */
export function noMemoryFor({ faults }: Kernel, what: 'ALLOC_OPEN' | 'ALLOC_RECORD'): number {
  const fault = faults.take(what)
  return fault?.errno === undefined ? 0 : -errno[fault.errno]
}
