// SPDX-License-Identifier: Apache-2.0
import type { Readable, Writable } from 'node:stream'
// Complete in 20.19, where it is called experimental and warns of nothing.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
import { styleText } from 'node:util'
import type { Device, LentDevice, Openable, OpenOptions } from '../index.ts'
import { withTimeout, type SignalName } from './interruption.ts'
import type { KnownDevice } from './second_signal.ts'

/** What a command may touch beside its devices. */
export interface Io {
  readonly stdout: Writable
  readonly stderr: Writable
  readonly stdin: Readable
  /** Behind it, where nobody has read from it yet: whoever reads by this uses `stdin` no more. */
  readonly stdinFd?: number
  /** Ends the command early; it puts its devices back first. */
  readonly signal?: AbortSignal
  /** Gives SIGINT, SIGTERM and SIGHUP to a listener until the returned function is called. */
  readonly divertSignals?: (listener: (name: NodeJS.Signals) => void) => () => void
  /** Opens the devices, where not the library does. */
  readonly openDevice?: (target: string | LentDevice | Openable, options: OpenOptions) => Promise<Device>
  /** What would be left behind if the command died now. */
  readonly inHand?: Set<InHand>
  /** Has `answer` called from now on, whenever somebody asks where the command stands. */
  readonly whenAsked?: (answer: () => void) => void
  /** Has `end` called when a second signal leaves no time for more; it answers what to exit with. */
  readonly whenEndedAtOnce?: (end: (by: SignalName) => number) => void
}

/** What a command has in hand: a device, or whoever drives it. Each is a sentence without its full stop, and as true as what was last heard. */
export interface InHand {
  /** Where it is. */
  readonly where: string
  /** What becomes of it if the command dies now, and what to do then. */
  readonly left: string
  /** Nothing has to be done about it if the command dies now, as far as was heard. */
  readonly isAsBefore: boolean
  /** As JSON has it; undefined for what is no device. */
  readonly known: KnownDevice | undefined
}

/** Takes down what came of a command, as JSON has it. */
export interface Recorder {
  record(result: Envelope): Promise<void>
  /** Likewise, before it returns. */
  recordAtOnce(result: Envelope): void
  /** Nothing more will come. */
  close(): Promise<void>
}

/** The facts that every command's JSON begins with. */
export interface Envelope {
  readonly schema: 1
  readonly command: string
}

type Style = Parameters<typeof styleText>[0]

/** One run of one command: where it reads and writes, and how. */
export class Context {
  readonly io: Io
  readonly command: string
  readonly json: boolean
  /** Ends the command, whatever it does: a person does not want it any more. */
  readonly interruption: AbortSignal
  /** What follows the program's name in `--exec PROGRAM …`. */
  readonly execArguments: readonly string[]
  /** What the command is about: the devices, as they were named, and what is beside them. */
  operands: readonly string[] = []
  #signal: AbortSignal
  #answered = false
  #recorder: Recorder | undefined
  #untold = false
  #written: Promise<void> = Promise.resolve()
  #sayAbove: ((line: string) => void) | undefined

  constructor(io: Io, facts: { command: string; json: boolean; execArguments: readonly string[] }) {
    this.io = io
    this.command = facts.command
    this.json = facts.json
    this.execArguments = facts.execArguments
    this.interruption = io.signal ?? new AbortController().signal
    this.#signal = this.interruption
  }

  /** Ends the work of the command, the waiting for its input and its devices included: interrupted, or out of time. */
  get signal(): AbortSignal {
    return this.#signal
  }

  /** From now on the work of the command has this time. */
  limitTime(seconds: number): void {
    this.#signal = withTimeout(this.interruption, seconds)
  }

  /** What comes of the command, a failure as well, is written down there: the first result, as for stdout. */
  recordTo(recorder: Recorder): void {
    this.#recorder = recorder
  }

  async record(result: Envelope): Promise<void> {
    const recorder = this.#recorder
    this.#recorder = undefined
    await recorder?.record(result).catch((error: unknown) => {
      this.#untold = true
      this.say(this.style('yellow', `The report is not there: ${(error as Error).message}`))
    })
    await recorder?.close()
  }

  /** For a process that is about to end. */
  recordAtOnce(result: Envelope): void {
    const recorder = this.#recorder
    this.#recorder = undefined
    try {
      recorder?.recordAtOnce(result)
    } catch (error) {
      this.say(`The report is not there: ${(error as Error).message}`)
    }
  }

  /** Nothing more will be told. */
  async close(): Promise<void> {
    await this.#recorder?.close()
  }

  /** Says something to a person. */
  say(line: string): void {
    if (this.#sayAbove) this.#sayAbove(line)
    else this.io.stderr.write(`${line}\n`)
  }

  /** From now on, and until it is called without, the last lines of the terminal are another's, who writes above them. */
  sayBy(above?: (line: string) => void): void {
    this.#sayAbove = above
  }

  /** What is said to who asks where the command stands, from now on. */
  whenAsked(answer: () => string): void {
    this.io.whenAsked?.(() => this.say(`vfio-migrate: ${answer()}`))
  }

  /** The command's answer: the text, unless JSON is wanted. Goes to stdout. */
  answer(result: Envelope, text: string): void {
    // One object and no more, also where a failure comes after the result.
    if (this.json && this.#answered) return
    this.#answered = true
    const output = this.json ? JSON.stringify(result, undefined, isTerminal(this.io.stdout) ? 2 : 0) : text
    if (output !== '') this.#write(output)
  }

  /** The outcome of a command that does something: JSON on stdout, or words for a person. */
  outcome(result: Envelope, words: string): void {
    if (this.json) this.answer(result, '')
    else this.say(words)
  }

  /** A line of the answer that is there before the answer is whole; JSON waits for the whole. */
  line(text: string): void {
    if (!this.json) this.#write(text)
  }

  /** Everything was written to where it was wanted; says what was not. */
  async hasTold(): Promise<boolean> {
    await this.#written
    return !this.#untold
  }

  #write(text: string): void {
    const write = async (): Promise<void> => {
      const error = await new Promise<Error | null | undefined>(resolve => {
        this.io.stdout.write(`${text}\n`, resolve)
      })
      if (!error || this.#untold) return
      // A person may read the first lines only; of one object there is none.
      if (!this.json && (error as NodeJS.ErrnoException).code !== 'ENOSPC') return
      this.#untold = true
      this.say(`vfio-migrate: the answer could not be written to stdout: ${error.message}`)
    }
    const [before, now] = [this.#written, write()]
    this.#written = before.then(() => now)
  }

  /** Colours what is said to a person, where a person looks at it. */
  style(style: Style, text: string, stream: Writable = this.io.stderr): string {
    return isTerminal(stream) ? styleText(style, text, { stream }) : text
  }
}

/** True for a stream that a person looks at or types into. */
export function isTerminal(stream: Readable | Writable): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}
