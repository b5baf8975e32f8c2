// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError, Option } from 'commander'

/** What the command line says about whoever has the CPU side. */
export interface ParticipantOptions {
  /** The path of a socket. */
  readonly participant?: string
  readonly quiesce?: string
  readonly running?: string
  readonly resumed?: string
  readonly pci?: boolean
  /** Milliseconds, as is `participantTime`. */
  readonly momentLimit?: number
  readonly participantTime?: number
}

const scheme = 'unix:'

export const participantOptions: readonly Option[] = [
  new Option(
    '--quiesce <command>',
    'run this before the source stops: from then on nobody may touch it',
  ).argParser(commandOf),
  new Option('--running <command>', 'run this when the destination runs').argParser(commandOf),
  new Option(
    '--resumed <command>',
    'run this when the source runs again, after --quiesce and a failure',
  ).argParser(commandOf),
  new Option(
    '--participant <unix:path>',
    'speak with a process that has the CPU side, at each moment',
  ).argParser(pathOf),
  new Option('--pci', 'carry the command register and the BARs, where whoever drives the device does not'),
  new Option(
    '--moment-limit <seconds>',
    'how long each of them may take, each time (10 unless told)',
  ).argParser(millisecondsOf),
  new Option(
    '--participant-time <ms>',
    'what they take while the devices stand, for the downtime that is foreseen (nothing unless told)',
  ).argParser(durationMsOf),
]

export const participantDetails = `
Commands are run by /bin/sh, with VFIO_MIGRATE_MOMENT, VFIO_MIGRATE_SIDE and VFIO_MIGRATE_DEVICES in their environment. A status
other than 0 fails the migration: before the destination runs, that puts everything back.`

function pathOf(text: string): string {
  if (text.startsWith(scheme) && text.length > scheme.length) return text.slice(scheme.length)
  throw new InvalidArgumentError('It is the path of a socket, as in unix:/run/vmm.sock.')
}

function commandOf(text: string): string {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('It is a command line for /bin/sh, such as ./pause.sh.')
}

function durationMsOf(text: string): number {
  const ms = Number(text)
  if (text.trim() !== '' && ms >= 0 && ms < Infinity) return ms
  throw new InvalidArgumentError('It is a number of milliseconds from 0 on, such as 20.')
}

const longestSeconds = 86_400

function millisecondsOf(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds > 0 && seconds <= longestSeconds) return seconds * 1000
  throw new InvalidArgumentError(`It is a number of seconds above 0, up to ${longestSeconds}.`)
}
