// SPDX-License-Identifier: Apache-2.0
import { checkTarget, findDevice, isMockName, planPath, type Device, type StateName } from '../index.ts'
import type { Context } from './context.ts'
import { Hand, lentFd, type OpeningOptions } from './hand.ts'
import { untilAborted } from '../abort.ts'
import { arcText, bytesText } from './quantity.ts'
import type { DriveOutput, StepOutput } from './schemas/drive.ts'
import { parseStates } from './states.ts'

interface DriveOptions extends OpeningOptions {
  readonly direct?: boolean
}

/** `vfio-migrate drive DEVICE STATE[,STATE…]` */
export async function drive(
  [name = '', words = '']: readonly string[],
  options: DriveOptions,
  context: Context,
): Promise<void> {
  const targets = parseStates(words)
  await sayIfBlank(name, context)
  const hand = await Hand.open(name, options, context)
  try {
    const before = await hand.device.state()
    const work = async (): Promise<Pick<DriveOutput, 'steps' | 'state'>> => {
      checkPlan(hand.device, before, targets)
      return {
        steps: await driveAll(hand, targets, options, context),
        state: await hand.device.state(),
      }
    }
    const { steps, state } = await hand.attempt(work, () => putBackIfAborted(hand, context))
    const result: DriveOutput = { schema: 1, command: 'drive', device: hand.output(), before, steps, state }
    context.answer(result, `The device is in ${state}.`)
    const ending = hand.ending(state)
    if (ending !== undefined) context.say(ending)
  } finally {
    await hand.close()
  }
}

async function sayIfBlank(name: string, context: Context): Promise<void> {
  if (lentFd(name) !== undefined || isMockName(name)) return
  const { kind } = await findDevice(name)
  if (kind === 'pci') context.say(`Opening the PCI function '${name}' by path resets it: it begins blank.`)
}

/** Refuses a list of states that cannot be driven whole before its first arc. */
function checkPlan({ name, capabilities }: Device, before: StateName, targets: readonly StateName[]): void {
  for (const [index, target] of targets.entries()) {
    checkTarget(target, capabilities, name)
    planPath(targets[index - 1] ?? before, target, capabilities, name)
  }
}

async function driveAll(
  hand: Hand,
  targets: readonly StateName[],
  { direct = false }: DriveOptions,
  context: Context,
): Promise<StepOutput[]> {
  const steps: StepOutput[] = []
  for (const target of targets) {
    const arcs = await hand.go(target, { direct, signal: context.signal })
    for (const arc of arcs) context.line(arcText(arc))
    const step = { target, arcs, ...(await untilAborted(readOut(hand.device, target), context.signal)) }
    for (const line of readingText(step)) context.line(line)
    steps.push(step)
  }
  return steps
}

type Reading = Pick<StepOutput, 'precopy' | 'stopCopyBytes' | 'bytesRead'>

/** Asks how much there is to read, and reads until the device has no more. */
async function readOut(device: Device, state: StateName): Promise<Reading> {
  switch (state) {
    case 'PRE_COPY':
    case 'PRE_COPY_P2P': {
      const precopy = await device.precopyInfo()
      return { precopy, bytesRead: await drain(device, 'idle') }
    }
    case 'STOP_COPY': {
      const stopCopyBytes = await device.stopCopyBytes().catch(() => undefined)
      return { stopCopyBytes, bytesRead: await drain(device, 'end') }
    }
    default:
      return {}
  }
}

async function drain(device: Device, until: 'idle' | 'end'): Promise<number> {
  let bytes = 0
  for await (const chunk of device.savingStream.chunks({ until })) bytes += chunk.length
  return bytes
}

function readingText({ precopy, stopCopyBytes, bytesRead }: Reading): string[] {
  if (bytesRead === undefined) return []
  const { initialBytes = 0, dirtyBytes = 0, reinit = false } = precopy ?? {}
  const announced = precopy
    ? `${bytesText(initialBytes)} initial${reinit ? ' (anew)' : ''} and ${bytesText(dirtyBytes)} dirty announced`
    : stopCopyBytes === undefined
      ? 'no estimate'
      : `${bytesText(stopCopyBytes)} estimated`
  return [`  ${announced}, ${bytesText(bytesRead)} read`]
}

/** A failure is left to be looked at; a person who ends the command wants the device back as it was. */
async function putBackIfAborted(hand: Hand, context: Context): Promise<void> {
  if (context.signal.aborted) await hand.putBack()
}
