// SPDX-License-Identifier: Apache-2.0
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { findDevice, isMockName, VfioError, type StateName } from '../index.ts'
import { isTerminal, type Context } from './context.ts'
import { Hand, lentFd, type OpeningOptions } from './hand.ts'
import { checkMock } from './mock.ts'
import { untilAborted } from '../abort.ts'
import { UsageError } from './refusals.ts'
import type { ResetOutput } from './schemas/reset.ts'

interface ResetOptions extends OpeningOptions {
  readonly yes?: boolean
}

/** `vfio-migrate reset DEVICE` */
export async function reset(
  [name = '']: readonly string[],
  options: ResetOptions,
  context: Context,
): Promise<void> {
  if (isMockName(name)) await checkMock(name)
  else if (lentFd(name) === undefined) await findDevice(name)
  await confirm(name, options, context)
  const hand = await Hand.open(name, options, context)
  try {
    const work = async (): Promise<StateName | undefined> => {
      await hand.reset()
      return hand.before === undefined ? undefined : await hand.device.state()
    }
    const state = await hand.attempt(work, () => Promise.resolve())
    const result: ResetOutput = {
      schema: 1,
      command: 'reset',
      device: hand.output(),
      before: hand.before,
      state,
    }
    const before = hand.before === undefined ? '' : `: it was in ${hand.before} and is in ${state}`
    context.outcome(result, `'${hand.title}' was reset${before}.`)
  } finally {
    await hand.close()
  }
}

/** Asks the person; without one, --yes has to have been given. */
async function confirm(name: string, { yes }: ResetOptions, context: Context): Promise<void> {
  if (yes) return
  const { stderr: output } = context.io
  const input = isTerminal(output) ? context.io.stdin : undefined
  if (input === undefined || !isTerminal(input))
    throw new UsageError(`resetting '${name}' loses its state: say --yes where nobody can be asked`)
  const question = `Reset '${name}'? Its state is lost. [y/N] `
  const answer = await untilAborted(ask(question, input, output), context.signal)
  if (!/^y(es)?$/i.test(answer.trim())) throw new VfioError('ERR_VFIO_REFUSED', `'${name}' was not reset`)
}

/** The line that is typed; an end of the input is an empty one. */
async function ask(question: string, input: Readable, output: Writable): Promise<string> {
  // In its raw mode readline would keep Ctrl-C for itself.
  const terminal = createInterface({ input, output, terminal: false })
  try {
    return await new Promise(resolve => {
      terminal.once('close', () => resolve(''))
      terminal.question(question, resolve)
    })
  } finally {
    terminal.close()
  }
}
