// SPDX-License-Identifier: Apache-2.0
import type { StateName } from '../index.ts'

/** What a device is in a move. */
export interface Part {
  readonly side: 'source' | 'destination'
  /** The state is the destination's: its first arc out of STOP may have been made. */
  readonly isCommitted: boolean
  /** The destination lives on without this command. */
  readonly destinationStays: boolean
}

/** A device that a command has in hand, as far as it is known. */
export interface Held {
  /** What a person tells it by. */
  readonly title: string
  /** How it was named. */
  readonly name: string
  readonly isOpened: boolean
  /** It was made by this command. */
  readonly isOwnMock: boolean
  /** The state that it was in at first, and the last one that was heard of. */
  readonly before: StateName | undefined
  readonly last: StateName | undefined
  readonly part: Part | undefined
}

/** What becomes of a device when the command dies now, and what to do then. */
export function leftBehind(held: Held): string {
  const { title, isOpened, isOwnMock, last } = held
  const name = `'${title}'${last === undefined ? '' : `, last known in ${last},`}`
  if (isOwnMock) return `${name} is a mock and ends with this command`
  if (isOpened) return `${name} is reset as it is closed${lossOf(held)}`
  return `${name} is lent and stays as it is: ${remedyOf(held)}`
}

function lossOf({ part }: Held): string {
  if (part?.side === 'source') return ', and its state is gone'
  return part?.isCommitted ? ', and the state that it has taken is gone with it' : ''
}

function remedyOf({ name, before, last, part }: Held): string {
  const drive = (to: StateName): string => `vfio-migrate drive ${name} ${to}`
  if (part === undefined || before === undefined) return `vfio-migrate state ${name} tells where`
  if (part.side === 'destination') {
    if (part.isCommitted) return `the state is its own, and ${drive('RUNNING')} lets it run`
    if (last === before) return `nothing was done to it`
    return `what it holds is not whole, and only a reset helps: vfio-migrate reset ${name} --yes`
  }
  if (!part.isCommitted) return `its state is its own, and ${drive(before)} leads it back`
  if (part.destinationStays)
    return `its state is the destination's, so that it must not run again, and ${drive('STOP')} stops it`
  return `its destination ends with this command, so that ${drive('RUNNING')} lets it run from where it was stopped`
}
