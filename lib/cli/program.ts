// SPDX-License-Identifier: Apache-2.0
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import type { Context } from './context.ts'
import { longestTimeout } from './interruption.ts'
import { migrationDetails, migrationOptions } from './move_options.ts'
import { participantDetails, participantOptions } from './participant_options.ts'

/** Answers what to exit with, or nothing where it is done. */
type Action = (args: readonly string[], options: never, context: Context) => Answer | Promise<Answer>
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- so that most actions return nothing
type Answer = number | void

/** One verb: how it is called, and where it is. A verb is loaded when it is called: starting stays cheap. */
interface Verb {
  readonly summary: string
  readonly details?: string
  /** Where some options are required, which commander's own line does not show. */
  readonly usage?: string
  readonly args?: readonly (readonly [name: string, description: string])[]
  readonly options?: readonly Option[]
  readonly load: () => Promise<Action>
}

const names =
  'PCI address, mdev UUID, vfioN, a path in /dev/vfio or /sys, fd:N, or mock:… or mock+unix:PATH for a simulated one'
const device = ['<device>', names] as const
const raw = new Option('--raw', "required: the driver's own stream as it is, the one format that there is")
const timeout = new Option(
  '--timeout <seconds>',
  'give up, and put everything back, after this time',
).argParser(secondsOf)
const blankSource = new Option(
  '--blank-source',
  'a PCI function named by path is the source, although opening it has just reset it',
)

const opening = [
  new Option('--via <way>', 'open by this way only').choices(['cdev', 'group']),
  new Option(
    '--vf-token <uuid>',
    'the token of a virtual function whose physical function is in VFIO, too',
  ).argParser(uuid),
]

const keeping = [
  new Option('--stay', 'hold the running device until SIGINT, SIGTERM or SIGHUP (default on a terminal)'),
  new Option('--release', 'let go of the running device: what was restored is dropped'),
  new Option(
    '--exec <program>',
    'hand the running device to a program; the rest of the command line is its own',
  ),
]

const keepingDetails = `
A restored device lives while somebody holds it. --exec passes its fds on; their numbers are in VFIO_MIGRATE_DEVICE_FD
and VFIO_MIGRATE_IOMMUFD, or VFIO_MIGRATE_GROUP_FD and VFIO_MIGRATE_CONTAINER_FD; its name is in VFIO_MIGRATE_DEVICE.
The exit status is then the program's. With --json its output goes to stderr.`

const table: Readonly<Record<string, Verb>> = {
  list: {
    summary: 'list the devices under VFIO, and whether each migrates; opens none',
    options: [
      new Option(
        '--all',
        'list virtual functions, too, that are bound elsewhere and that a driver would migrate',
      ),
    ],
    load: async () => (await import('./list.ts')).list,
  },
  show: {
    summary: 'show what is known of a device; does not open it',
    args: [device],
    load: async () => (await import('./show.ts')).show,
  },
  state: {
    summary: "tell a device's migration state from debugfs; does not open it",
    args: [device],
    load: async () => (await import('./state.ts')).state,
  },
  drive: {
    summary: 'drive a device through states, each arc with its time, and read what it gives out',
    details: `
States are the kernel's: STOP RUNNING STOP_COPY RESUMING RUNNING_P2P PRE_COPY PRE_COPY_P2P.
Example: vfio-migrate drive 0000:08:00.2 PRE_COPY,STOP_COPY,RUNNING`,
    args: [device, ['<states>', 'STATE[,STATE…], each reached by the path that the kernel has']],
    options: [new Option('--direct', 'give each path to the kernel in one request'), ...opening],
    load: async () => (await import('./drive.ts')).drive,
  },
  reset: {
    summary: 'reset a device; its state is lost',
    args: [device],
    options: [new Option('--yes', 'do not ask'), ...opening],
    load: async () => (await import('./reset.ts')).reset,
  },
  save: {
    summary:
      "save a device's state; a lent device is left in STOP, one that was opened by name is reset as it is closed",
    usage: '[options] <device> --raw -o <file|->',
    args: [device],
    options: [
      raw.makeOptionMandatory(),
      new Option(
        '-o, --output <file>',
        'required: the file, which is there when it is whole, or - for stdout',
      ).makeOptionMandatory(),
      new Option('--resume-source', 'let the device run again once its state is saved'),
      blankSource,
      timeout,
      ...opening,
    ],
    load: async () => (await import('./save.ts')).save,
  },
  load: {
    summary: 'load a state into a device, and run it',
    usage: '[options] <device> --raw -i <file|-> --stay|--release|--exec <program>',
    details: keepingDetails,
    args: [device],
    options: [
      raw.makeOptionMandatory(),
      new Option('-i, --input <file>', 'required: the file, or - for stdin').makeOptionMandatory(),
      timeout,
      ...opening,
      ...keeping,
    ],
    load: async () => (await import('./load.ts')).load,
  },
  move: {
    summary: 'move the state of devices into others on this host, and run those',
    usage: '[options] <source> <destination> [<source> <destination>…] --stay|--release|--exec <program>',
    details: `${migrationDetails}\n${participantDetails}\n${keepingDetails}`,
    args: [
      ['<source>', device[1]],
      ['<destination>', 'likewise'],
      ['[more...]', 'further pairs, moved with the first as one'],
    ],
    options: [...migrationOptions, ...participantOptions, blankSource, timeout, ...opening, ...keeping],
    load: async () => (await import('./move.ts')).move,
  },
  fsm: {
    summary: "print the kernel's state machine, or a path through it; needs no device",
    options: [
      new Option('--flags <flags>', 'what the device has: p2p,precopy, one of them, or none').default(
        'p2p,precopy',
      ),
      new Option('--format <format>', 'as what').choices(['table', 'dot', 'mermaid']).default('table'),
      new Option('--from <state>', 'print the path from this state'),
      new Option('--to <state>', 'print the path to this state'),
    ],
    load: async () => (await import('./fsm.ts')).fsm,
  },
  version: {
    summary: 'print the versions of what is at work here',
    load: async () => (await import('./version.ts')).version,
  },
}

const exitCodesText = `
Exit codes:
  0    done
  1    failed; every device is as it was. A PCI function that was opened here by name may have been reset:
       opening it had made it blank
  2    wrong usage, or what was wanted of the devices was refused before anything was touched
  3    a device that is missing or cannot migrate, or something of this machine that is missing
  4    a device has lost the state that it held, holds another, or is left in another state, or whoever drives it was
       not told to go on: act now
  124  timeout; 129 SIGHUP, 130 SIGINT, 143 SIGTERM: every device is as it was`

/** What the command can be told to do. */
export const verbs: ReadonlySet<string> = new Set(Object.keys(table))

/** The command line as commander knows it. `onExit` is told what a verb wants the command to exit with. */
export function makeProgram(context: Context, onExit: (code: number) => void): Command {
  const program = new Command('vfio-migrate')
    .description('Save, move and restore the state of VFIO devices')
    .exitOverride()
    .configureOutput({
      writeOut: text => context.io.stdout.write(text),
      writeErr: text => context.io.stderr.write(text),
      // Every failure is reported in one place.
      outputError: () => undefined,
    })
    .addHelpText('after', exitCodesText)
  for (const [name, verb] of Object.entries(table)) addVerb(program, name, verb, context, onExit)
  return program
}

function addVerb(
  program: Command,
  name: string,
  verb: Verb,
  context: Context,
  onExit: (code: number) => void,
): void {
  const command = program.command(name).description(verb.summary)
  for (const [argument, description] of verb.args ?? []) {
    command.addArgument(new Argument(argument, description))
  }
  for (const option of verb.options ?? []) command.addOption(option)
  command.option('--json', 'print one JSON object')
  if (verb.usage !== undefined) command.usage(verb.usage)
  if (verb.details !== undefined) command.addHelpText('after', verb.details)
  command.action(async () => {
    context.operands = command.args
    const action = await verb.load()
    const { timeout } = command.opts<{ timeout?: number }>()
    if (timeout !== undefined) context.limitTime(timeout)
    const exit = await action(command.args, command.opts<never>(), context)
    if (exit !== undefined) onExit(exit)
  })
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= longestTimeout) return seconds
  throw new InvalidArgumentError(`It is a number of seconds above 0, up to ${longestTimeout}.`)
}

function uuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw new InvalidArgumentError('It is a UUID such as 2ab74924-c335-45f4-9b16-8569e5b08258.')
}
