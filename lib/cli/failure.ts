// SPDX-License-Identifier: Apache-2.0
import { isMockName, isVfioError, type Arc, type StateName } from '../index.ts'
import type { Context } from './context.ts'
import { exitCodeFor, exitCodes } from './exit.ts'
import { interruptedExit } from './interruption.ts'
import type { CauseOutput, ErrorOutput, FailureOutput, OtherDeviceOutput } from './schemas/failure.ts'
import { UsageError } from './refusals.ts'

/** What a failure did to a device, and where it left it. */
export interface Aftermath {
  readonly device: string
  /** It is simulated. */
  readonly mock: boolean
  readonly arcs: readonly Arc[]
  /** As the kernel answered after the failure and the recovery from it. */
  readonly state: StateName | undefined
  /**
   * It is as it was before the command: `state` is the same, and nothing that it held is lost. A device that was opened
   * here held nothing.
   */
  readonly restored: boolean
  /** The command has reset it. */
  readonly wasReset: boolean
  readonly recovery: 'none' | 'reset'
  /** What a person has to know or to do about it. */
  readonly advice: readonly string[]
}

/** A command that failed with devices in hand. `cause` is the first failure. */
export class CommandFailure extends Error {
  /** The device that the first failure is about, before others that have to do with it. */
  readonly aftermaths: readonly Aftermath[]

  constructor(cause: unknown, aftermaths: readonly Aftermath[]) {
    super(messageOf(cause), { cause })
    this.aftermaths = aftermaths
  }
}

/** Tells a failure to the person and, where it is wanted, as JSON. Answers the exit code. */
export function reportFailure(error: unknown, context: Context): number {
  const first = reasonOf(error instanceof CommandFailure ? error.cause : error)
  const aftermaths = error instanceof CommandFailure ? error.aftermaths : []
  context.say(context.style('red', `vfio-migrate: ${messageOf(first)}`))
  for (const line of [...addedCauses(first), ...aftermaths.flatMap(({ advice }) => advice)]) context.say(line)
  if (first instanceof UsageError) context.say(`Try: ${helpCommand(context.command)}`)
  const output: FailureOutput = {
    schema: 1,
    command: context.command,
    error: errorOutput(first, aftermaths, context),
  }
  if (context.json) context.answer(output, '')
  return exitCode(first, aftermaths)
}

/** Why it was aborted says more than that it was. */
function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.name === 'AbortError' && error.cause instanceof Error
    ? error.cause
    : error
}

function helpCommand(command: string): string {
  return command === 'vfio-migrate' ? 'vfio-migrate --help' : `vfio-migrate ${command} --help`
}

function exitCode(first: unknown, aftermaths: readonly Aftermath[]): number {
  if (aftermaths.some(({ restored }) => !restored)) return exitCodes.left
  const errors = first instanceof Error ? [first, ...causesOf(first)] : []
  return interruptedExit(errors) ?? exitCodeFor(codeOf(first))
}

/** The causes of an error whose words are not in its own message. */
function addedCauses(error: unknown): string[] {
  let said = messageOf(error)
  const added: string[] = []
  for (const cause of causesOf(error)) {
    if (said.includes(messageOf(cause)) || said.includes(codeOf(cause))) continue
    said += messageOf(cause)
    added.push(`caused by: ${messageOf(cause)}`)
  }
  return added
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = []
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at !== error && at.message !== '' && !('exitCode' in at)) causes.push(at)
  }
  return causes
}

function errorOutput(first: unknown, aftermaths: readonly Aftermath[], { operands }: Context): ErrorOutput {
  const known = isVfioError(first) ? first : undefined
  const [about, ...others] = aftermaths
  const [cause] = causesOf(first)
  return {
    ...causeOutput(first),
    device: about?.device ?? known?.device,
    mock: (about ? about.mock : operands.some(isMockName)) || undefined,
    arcs: [...(about?.arcs ?? known?.arcs ?? [])],
    failedArc: known?.failedArc ?? failedArcOf(cause),
    state: about ? about.state : known?.state,
    recovery: about?.recovery ?? known?.recovery ?? 'none',
    wasReset: about?.wasReset || undefined,
    cause: cause && causeOutput(cause),
    others: others.length === 0 ? undefined : others.map(otherOutput),
  }
}

function failedArcOf(error: unknown): ErrorOutput['failedArc'] {
  return isVfioError(error) ? error.failedArc : undefined
}

function otherOutput(aftermath: Aftermath): OtherDeviceOutput {
  const { device, mock, arcs, state, recovery, wasReset } = aftermath
  return {
    device,
    mock: mock || undefined,
    arcs: [...arcs],
    state,
    recovery,
    wasReset: wasReset || undefined,
  }
}

/** An error as JSON has it. */
export function causeOutput(error: unknown): CauseOutput {
  const { errno, request } = error as { errno?: unknown; request?: unknown }
  return {
    code: codeOf(error),
    message: messageOf(error),
    errno: typeof errno === 'number' ? errno : undefined,
    request: typeof request === 'string' ? request : undefined,
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'ERR_UNKNOWN'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
