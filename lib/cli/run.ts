// SPDX-License-Identifier: Apache-2.0
import { CommanderError } from 'commander'
import { Context, type Io } from './context.ts'
import { exitCodes } from './exit.ts'
import { makeProgram, verbs } from './program.ts'
import { UsageError } from './refusals.ts'
import { endAtOnce } from './second_signal.ts'

/**
 * Runs one command line, `argv` as in process.argv, and resolves with its exit code. It ends no process, listens to no
 * signal and keeps nothing, so that many can be run after another.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { own, execArguments } = splitExec(argv.slice(2))
  const command = own.find(word => verbs.has(word)) ?? 'vfio-migrate'
  const context = new Context(io, { command, json: own.includes('--json'), execArguments })
  io.whenEndedAtOnce?.(by => endAtOnce(by, context))
  const exit = await executed(own, context)
  // What was done stays done, and nobody was told as they wanted.
  return (await context.hasTold()) || exit !== exitCodes.done ? exit : exitCodes.failed
}

async function executed(words: readonly string[], context: Context): Promise<number> {
  try {
    return await execute(words, context)
  } catch (error) {
    const { reportFailure } = await import('./failure.ts')
    return await reportFailure(error, context)
  } finally {
    await context.close()
  }
}

async function execute(words: readonly string[], context: Context): Promise<number> {
  let exit: number = exitCodes.done
  const program = makeProgram(context, code => {
    exit = code
  })
  try {
    await program.parseAsync(words.map(asVerb), { from: 'user' })
    return exit
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return exitCodes.done
    // No verb: commander has printed the help to stderr.
    if (error.code === 'commander.help') return exitCodes.usage
    throw new UsageError(error.message.replace(/^error: /, ''), { cause: error })
  }
}

/** Where people look for the version first. */
function asVerb(word: string, index: number): string {
  return index === 0 && (word === '--version' || word === '-V') ? 'version' : word
}

/** Everything behind the program's name after --exec, or `--exec=`, is the program's. */
function splitExec(words: readonly string[]): { own: string[]; execArguments: string[] } {
  const at = words.findIndex(word => word === '--exec' || word.startsWith('--exec='))
  const end = at < 0 ? words.length : words[at] === '--exec' ? at + 2 : at + 1
  return { own: words.slice(0, end), execArguments: words.slice(end) }
}
