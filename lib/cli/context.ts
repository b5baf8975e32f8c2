// SPDX-License-Identifier: Apache-2.0
import type { Readable, Writable } from 'node:stream'
// Complete in 20.19, where it is called experimental and warns of nothing.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
import { styleText } from 'node:util'
import type { Device, LentDevice, Openable, OpenOptions } from '../index.ts'
import { withTimeout } from './interruption.ts'

/** What a command may touch beside its devices. */
export interface Io {
  readonly stdout: Writable
  readonly stderr: Writable
  readonly stdin: Readable
  /** Ends the command early; it puts its devices back first. */
  readonly signal?: AbortSignal
  /** Gives SIGINT, SIGTERM and SIGHUP to a listener until the returned function is called. */
  readonly divertSignals?: (listener: (name: NodeJS.Signals) => void) => () => void
  /** Opens the devices, where not the library does. */
  readonly openDevice?: (target: string | LentDevice | Openable, options: OpenOptions) => Promise<Device>
  /** What would be left behind if the command died now: a sentence for each device in hand. */
  readonly inHand?: Set<string>
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

  /** Says something to a person. */
  say(line: string): void {
    this.io.stderr.write(`${line}\n`)
  }

  /** The command's answer: the text, unless JSON is wanted. Goes to stdout. */
  answer(result: Envelope, text: string): void {
    // One object and no more, also where a failure comes after the result.
    if (this.json && this.#answered) return
    this.#answered = true
    const output = this.json ? JSON.stringify(result, undefined, isTerminal(this.io.stdout) ? 2 : 0) : text
    if (output !== '') this.io.stdout.write(`${output}\n`)
  }

  /** The outcome of a command that does something: JSON on stdout, or words for a person. */
  outcome(result: Envelope, words: string): void {
    if (this.json) this.answer(result, '')
    else this.say(words)
  }

  /** A line of the answer that is there before the answer is whole; JSON waits for the whole. */
  line(text: string): void {
    if (!this.json) this.io.stdout.write(`${text}\n`)
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
