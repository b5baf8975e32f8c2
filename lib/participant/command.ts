// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import {
  moments,
  sideOf,
  type Moment,
  type MomentContext,
  type Outcome,
  type Participant,
} from '../migration/participant.ts'

/** A command line for each moment that one is to be run at. */
export type MomentCommands = Readonly<Partial<Record<Moment, string>>>

/**
 * Runs a command line by `/bin/sh -c` at each moment that has one, and waits for it. Its environment has
 * `VFIO_MIGRATE_MOMENT`, `VFIO_MIGRATE_SIDE` (`source` or `destination`), `VFIO_MIGRATE_DEVICES` (the names of that
 * side's devices, a space between two) and at `released` `VFIO_MIGRATE_OUTCOME`. It reads nothing; what it writes goes to
 * `output`, stderr unless told. Any status but 0 fails the moment. When the moment's time is up, or it is cancelled, or
 * this process exits, it is killed with all that it has started in its process group.
 * @throws TypeError for what is no moment or no command line.
 */
export function commandParticipant(
  commands: MomentCommands,
  options: { readonly output?: Writable } = {},
): Participant {
  const { output = process.stderr } = options
  for (const name of Object.keys(commands)) checkMoment(name)
  const run = Object.entries(commands).map(([moment, line]) => {
    checkLine(moment, line)
    const call = async (context: MomentContext): Promise<void> =>
      await runAt(moment as Moment, line, output, context)
    return [moment, call]
  })
  return Object.fromEntries(run) as Participant
}

function checkMoment(name: string): void {
  if (moments.some(moment => moment === name)) return
  throw new TypeError(`'${name}' is no moment: ${moments.join(', ')}`)
}

function checkLine(moment: string, line: unknown): void {
  if (typeof line === 'string' && line.trim() !== '') return
  throw new TypeError(`the command for '${moment}' must be a command line`)
}

async function runAt(
  moment: Moment,
  line: string,
  output: Writable,
  context: MomentContext & { readonly outcome?: Outcome },
): Promise<void> {
  const fd = 'fd' in output && typeof output.fd === 'number' ? output.fd : 'pipe'
  const env = { ...process.env, ...environment(moment, context) }
  // A process group of its own, so that all of it can be killed.
  const child = spawn('/bin/sh', ['-c', line], { detached: true, stdio: ['ignore', fd, fd], env })
  for (const stream of [child.stdout, child.stderr]) stream?.pipe(output, { end: false })
  const kill = (): void => killGroup(child)
  context.signal.addEventListener('abort', kill, { once: true })
  process.on('exit', kill)
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    if (code === 0) return
    throw new Error(`'${line}' ended ${code === null ? `by ${String(signal)}` : `with status ${code}`}`)
  } finally {
    context.signal.removeEventListener('abort', kill)
    process.off('exit', kill)
  }
}

function environment(
  moment: Moment,
  { devices, outcome }: MomentContext & { readonly outcome?: Outcome },
): NodeJS.ProcessEnv {
  return {
    VFIO_MIGRATE_MOMENT: moment,
    VFIO_MIGRATE_SIDE: sideOf[moment],
    VFIO_MIGRATE_DEVICES: devices.map(({ name }) => name).join(' '),
    ...(outcome && { VFIO_MIGRATE_OUTCOME: outcome }),
  }
}

/** By SIGKILL: the next moment may come at once, and must not meet this one. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
