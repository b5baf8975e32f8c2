// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError, Option } from 'commander'
import { bytesPerSecondOf, durationOf } from './amount.ts'

/** What the command line says about how to migrate. */
export interface MigrationOptions {
  /** Milliseconds, as is `deadline`. */
  readonly downtimeLimit?: number
  readonly deadline?: number
  readonly onDeadline?: 'switch' | 'abort'
  readonly maxRounds?: number
  readonly onStall?: 'switch' | 'continue' | 'abort'
  readonly onOverrun?: 'abort' | 'switch'
  /** Bytes per second. */
  readonly bandwidth?: number
  readonly precopy: boolean
  readonly p2pDma: boolean
  readonly perPfLimit?: number
  /** Ids of rules. */
  readonly override?: readonly string[]
  readonly onStuck?: 'reset' | 'leave'
  readonly dryRun?: boolean
  /** The name of a file. */
  readonly report?: string
}

export const migrationOptions: readonly Option[] = [
  new Option(
    '--dry-run',
    'print what would be done, and do none of it (opening a PCI function by path resets it all the same)',
  ).conflicts('report'),
  new Option('--report <file>', 'write what --json prints to a file as well, also of a failure'),
  new Option('--downtime-limit <ms>', 'the longest downtime that is wanted (300 unless told)').argParser(
    millisecondsOf,
  ),
  new Option('--deadline <duration>', 'end pre-copy after this time, such as 90s').argParser(amount(durationOf)),
  new Option('--on-deadline <what>', 'what then (switch unless told)').choices(['switch', 'abort']),
  new Option('--max-rounds <n>', 'end pre-copy after so many rounds').argParser(wholeOf),
  new Option('--on-stall <what>', 'what to do when rounds bring no gain (switch unless told)').choices([
    'switch',
    'continue',
    'abort',
  ]),
  new Option(
    '--on-overrun <what>',
    'what to do where a source that stands has far more to give than the limit was found to allow (abort unless told)',
  ).choices(['abort', 'switch']),
  new Option('--bandwidth <rate>', 'the most to move in a second, all devices together, such as 100MiB/s').argParser(
    amount(bytesPerSecondOf),
  ),
  new Option('--no-precopy', 'stop the source at once, and move everything while it stands').conflicts([
    'deadline',
    'onDeadline',
    'maxRounds',
    'downtimeLimit',
    'onStall',
    'onOverrun',
  ]),
  new Option('--no-p2p-dma', 'the devices of a set do no DMA to each other: they need no P2P states'),
  new Option(
    '--per-pf-limit <n>',
    'how many functions of one physical function may move at a time, on both sides (4 of mlx5 unless told)',
  ).argParser(wholeOf),
  new Option('--override <rule>', 'go on although this rule refuses (docs/preflight.md); may be repeated').argParser(
    (rule, rules: readonly string[] | undefined) => [...(rules ?? []), rule],
  ),
  new Option(
    '--on-stuck <what>',
    'what becomes of a device that nothing but a reset helps (unless told, one that was opened here is reset, a lent one left)',
  ).choices(['reset', 'leave']),
] // prettier-ignore

export const migrationDetails = `
Several pairs are a set: they are stopped together, and move together or not at all. Before anything is touched all that is known to
prevent it is told (docs/preflight.md). A failure, and a first Ctrl-C, put everything back, until the destination runs; SIGUSR1
prints where it stands.`

function millisecondsOf(text: string): number {
  const ms = numberOf(text)
  if (ms > 0 && ms < Infinity) return ms
  throw new InvalidArgumentError('It is a number of milliseconds above 0, such as 300.')
}

function wholeOf(text: string): number {
  const number = numberOf(text)
  if (number >= 1 && Number.isSafeInteger(number)) return number
  throw new InvalidArgumentError('It is a whole number from 1 on.')
}

function numberOf(text: string): number {
  return text.trim() === '' ? NaN : Number(text)
}

/** Commander puts the option's name before what is wrong. */
function amount(parse: (text: string) => number): (text: string) => number {
  return text => {
    try {
      return parse(text)
    } catch (error) {
      throw error instanceof RangeError ? new InvalidArgumentError(error.message) : error
    }
  }
}
