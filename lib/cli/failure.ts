// SPDX-License-Identifier: Apache-2.0
import { isMockName, isVfioError, PreflightError, type Arc, type StateName } from '../index.ts'
import { causeOutput, codeOf, messageOf } from './cause.ts'
import type { Context } from './context.ts'
import { exitCodeFor, exitCodeOfRefusal, exitCodes } from './exit.ts'
import { interruptedExit, interrupterOf } from './interruption.ts'
import type { ErrorOutput, FailureOutput, OtherDeviceOutput } from './schemas/failure.ts'
import type { ReportOutput } from './schemas/move.ts'
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
  /** What kept it from being where it should be. */
  readonly hindrance: { readonly title: string; readonly message: string } | undefined
}

/** What there is to tell of a failed command beside its devices. */
export interface FailureFacts {
  /** Of a migration that was begun. */
  readonly report?: ReportOutput
  /** More that a person has to know or to do. */
  readonly advice?: readonly string[]
  /** The devices are as they were, and something else is not. */
  readonly left?: boolean
}

/** A command that failed with devices in hand. `cause` is the first failure. */
export class CommandFailure extends Error {
  /** The device that the first failure is about, before others that have to do with it. */
  readonly aftermaths: readonly Aftermath[]
  readonly facts: FailureFacts

  constructor(cause: unknown, aftermaths: readonly Aftermath[], facts: FailureFacts = {}) {
    super(messageOf(cause), { cause })
    this.aftermaths = aftermaths
    this.facts = facts
  }
}

/** Tells a failure to the person and, where it is wanted, as JSON. Answers the exit code. */
export async function reportFailure(error: unknown, context: Context): Promise<number> {
  const first = reasonOf(error instanceof CommandFailure ? error.cause : error)
  const aftermaths = error instanceof CommandFailure ? error.aftermaths : []
  const { report, advice = [], left = false } = error instanceof CommandFailure ? error.facts : {}
  context.say(context.style('red', `vfio-migrate: ${messageOf(first)}`))
  const lines = [...addedCauses(first), ...advice, ...deviceWords(aftermaths, messageOf(first))]
  for (const line of lines) context.say(line)
  if (first instanceof UsageError) context.say(`Try: ${helpCommand(context.command)}`)
  const output: FailureOutput = {
    schema: 1,
    command: context.command,
    error: errorOutput(first, aftermaths, context),
    report,
  }
  if (context.json) context.answer(output, '')
  await context.record(output)
  return left ? exitCodes.left : exitCode(first, aftermaths)
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
  if (first instanceof PreflightError) return exitCodeOfRefusal(first.findings)
  return interruptedExit(errorsOf(first)) ?? exitCodeFor(codeOf(first))
}

/** A hindrance that is the failure itself is in `said`. */
function deviceWords(aftermaths: readonly Aftermath[], said: string): string[] {
  return aftermaths.flatMap(({ advice, hindrance }) => {
    if (!hindrance || said.includes(hindrance.message)) return advice
    return [...advice, `'${hindrance.title}': ${hindrance.message}`]
  })
}

function errorsOf(first: unknown): Error[] {
  return first instanceof Error ? [first, ...causesOf(first)] : []
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
    interruptedBy: interrupterOf(errorsOf(first)),
    device: about?.device ?? known?.device,
    mock: (about ? about.mock : operands.some(isMockName)) || undefined,
    arcs: [...(about?.arcs ?? known?.arcs ?? [])],
    failedArc: known?.failedArc ?? failedArcOf(cause),
    state: about ? about.state : known?.state,
    recovery: about?.recovery ?? known?.recovery ?? 'none',
    wasReset: about?.wasReset || undefined,
    cause: cause && causeOutput(cause),
    findings: first instanceof PreflightError ? [...first.findings] : undefined,
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
