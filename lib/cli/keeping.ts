// SPDX-License-Identifier: Apache-2.0
import { access, constants, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { isTerminal, type Context } from './context.ts'
import { runWithDevice } from './exec.ts'
import type { Hand } from './hand.ts'
import { UsageError } from './refusals.ts'
import type { KeepingOutput } from './schemas/load.ts'

/** What the command line says about the restored device. */
export interface KeepingOptions {
  readonly stay?: boolean
  readonly release?: boolean
  readonly exec?: string
}

/** What becomes of a restored device; `words` announce it. */
export interface Keeping {
  readonly kind: KeepingOutput
  words(hand: Hand): string
  /** Ends when the devices may be closed; answers the exit code. */
  keep(hands: readonly Hand[]): Promise<number>
}

/** Exactly one way of keeping, decided, and its program found, before any device is touched. */
export async function chooseKeeping(options: KeepingOptions, context: Context): Promise<Keeping> {
  const { stay, release, exec } = options
  const given = [stay, release, exec].filter(Boolean).length
  if (given > 1) throw new UsageError('--stay, --exec and --release exclude each other: say one')
  if (exec !== undefined) return byProgram(await foundProgram(exec), context)
  if (release) return dropped
  if (stay || isTerminal(context.io.stderr)) return held(context)
  throw new UsageError(
    'a restored device lives while somebody holds it: say --stay to hold it here, --exec PROGRAM to hand it on, or --release to drop it',
  )
}

/** True where the command line says what becomes of a restored device. */
export function saysKeeping({ stay, release, exec }: KeepingOptions): boolean {
  return [stay, release, exec].some(Boolean)
}

/** The environment of a program has names for the fds of one device. */
export function refuseHandingOnSeveral(devices: number, { kind }: Keeping): void {
  if (kind !== 'exec' || devices === 1) return
  throw new UsageError(
    `--exec hands on one device, and not ${devices}: say --stay or --release, or move them one by one`,
  )
}

const dropped: Keeping = {
  kind: 'release',
  words: hand => `'${hand.title}' is let go of, as --release says: ${hand.fateAtClose}.`,
  keep: () => Promise.resolve(0),
}

function held(context: Context): Keeping {
  return {
    kind: 'stay',
    words: hand =>
      `'${hand.title}' is held here. SIGINT (Ctrl-C), SIGTERM or SIGHUP ends this: then ${hand.fateAtClose}.`,
    keep: async () => {
      await ended(context)
      context.say('Closing it.')
      return 0
    },
  }
}

function byProgram(program: string, context: Context): Keeping {
  return {
    kind: 'exec',
    words: hand => `'${hand.title}' is handed to ${program}.`,
    keep: async ([hand]) => (hand ? await runWithDevice(program, hand.device, context) : 0),
  }
}

/** A signal that came too late to take a move back was meant for that: the next one is meant for this. */
async function ended({ interruption, io }: Context): Promise<void> {
  const { divertSignals } = io
  if (!interruption.aborted || !divertSignals) {
    await alive(resolve => {
      interruption.addEventListener('abort', resolve, { once: true })
      if (interruption.aborted) resolve()
    })
    return
  }
  let giveBack: () => void = () => undefined
  await alive(resolve => (giveBack = divertSignals(resolve)))
  giveBack()
}

/** A promise keeps no process alive, and neither does a listener for signals. */
async function alive(until: (resolve: () => void) => void): Promise<void> {
  const farOff = 2 ** 30
  // eslint-disable-next-line no-restricted-globals -- it measures no time
  const alive = setInterval(() => undefined, farOff)
  await new Promise<void>(until)
  clearInterval(alive)
}

async function foundProgram(program: string): Promise<string> {
  const directories = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter)
  for (const directory of directories) {
    const path = directory === '' ? program : join(directory, program)
    if (await isExecutable(path)) return path
  }
  throw new UsageError(`there is no program '${program}' to hand the device to`)
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
