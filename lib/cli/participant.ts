// SPDX-License-Identifier: Apache-2.0
import {
  commandParticipant,
  moments,
  participants,
  pciParticipant,
  unixParticipant,
  type MomentLimits,
  type Participant,
} from '../index.ts'
import type { Context } from './context.ts'
import type { ParticipantOptions } from './participant_options.ts'
import { Told } from './told.ts'

/** Whoever has the CPU side, as the command line names them. */
export interface Seat extends Disposable {
  readonly participant: Participant | undefined
  readonly limits: MomentLimits
}

/**
 * Finds who was named, before any device is touched. They are stopped in this order: the commands, the process at the
 * socket, config space.
 */
export async function participantFrom(options: ParticipantOptions, context: Context): Promise<Seat> {
  const { participant: path, quiesce, running, resumed, pci, momentLimit } = options
  const commands = Object.entries({ quiesce, running, resumed }).filter(([, line]) => line !== undefined)
  const remote = path === undefined ? undefined : await unixParticipant(path, { signal: context.signal })
  const list = [
    commands.length > 0
      ? commandParticipant(Object.fromEntries(commands), { output: context.io.stderr })
      : undefined,
    remote,
    pci ? pciParticipant() : undefined,
  ].filter(one => one !== undefined)
  const one = list.length > 1 ? participants(list) : list[0]
  const { inHand } = context.io
  const told = one && new Told(one, inHand)
  return {
    participant: told?.participant,
    limits: momentLimit === undefined ? {} : Object.fromEntries(moments.map(moment => [moment, momentLimit])),
    [Symbol.dispose]: () => {
      if (told) inHand?.delete(told)
      remote?.close()
    },
  }
}
