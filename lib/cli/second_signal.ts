// SPDX-License-Identifier: Apache-2.0
import type { Context, InHand } from './context.ts'
import { exitCodes } from './exit.ts'
import { interruptedExit, Interrupted, type SignalName } from './interruption.ts'
import type { FailureOutput, OtherDeviceOutput } from './schemas/failure.ts'

/** What is in hand, and what becomes of it, in one line. */
export function leftWords(inHand: ReadonlySet<InHand>, nothing: string): string {
  return inHand.size === 0 ? nothing : [...inHand].map(({ left }) => left).join('; ')
}

/**
 * Tells, without waiting for anything, what a command leaves behind that is interrupted again: to a person, as JSON and in
 * the file of --report. Answers what to exit with.
 */
export function endAtOnce(by: SignalName, context: Context): number {
  const inHand = context.io.inHand ?? new Set<InHand>()
  const words = leftWords(inHand, 'nothing is left behind')
  const again = new Interrupted(by)
  context.say(`vfio-migrate: interrupted again, ending at once: ${words}`)
  const output = outputOf(again, words, [...inHand], context.command)
  if (context.json) context.answer(output, '')
  context.recordAtOnce(output)
  if ([...inHand].some(({ isAsBefore }) => !isAsBefore)) return exitCodes.left
  return interruptedExit([again]) ?? exitCodes.interrupted
}

function outputOf(
  { code, by }: Interrupted,
  words: string,
  inHand: readonly InHand[],
  command: string,
): FailureOutput {
  const devices = inHand.map(({ known }) => known).filter(known => known !== undefined)
  // As in any failure, the one that is not as it was comes first.
  const [about, ...others] = devices.toSorted((a, b) => Number(a.isAsBefore) - Number(b.isAsBefore))
  return {
    schema: 1,
    command,
    error: {
      code,
      interruptedBy: by,
      message: `interrupted again, ended at once: ${words}`,
      arcs: [],
      recovery: 'none',
      ...about?.output,
      others: others.length === 0 ? undefined : others.map(({ output }) => output),
    },
  }
}

/** What is known of a device without asking it. */
export interface KnownDevice {
  readonly isAsBefore: boolean
  /** Its state is the last one that was heard of. */
  readonly output: OtherDeviceOutput
}
