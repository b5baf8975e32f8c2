#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os'
import type { InHand } from './context.ts'
import { exitCodes } from './exit.ts'
import { Interruption, type SignalName } from './interruption.ts'
import { run } from './run.ts'
import { leftWords } from './second_signal.ts'

const inHand = new Set<InHand>()

let endAtOnce = (by: SignalName): number => 128 + constants.signals[by]
const interruption = new Interruption(process, by => process.exit(endAtOnce(by)))

let answer = (): void => {
  const where = [...inHand].map(({ where }) => where).join('; ')
  process.stderr.write(`vfio-migrate: ${where === '' ? 'no device is in hand' : where}\n`)
}
// Without a listener Node takes it for the wish to debug.
process.on('SIGUSR1', () => answer())

// A reader that goes away must not end a command that has a device in hand. Where it matters, the write tells of it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

/** Resolves when everything is written, or will never be. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>(resolve => {
    stream.once('close', resolve)
    stream.write('', () => resolve())
  })
}

/** Nothing is left that could answer: whatever the command waits for, it has not done what it was told. */
function giveUp(): void {
  process.stderr.write(
    `vfio-migrate: nothing is left to wait for, and no answer came: ${leftWords(inHand, 'no device is in hand')}\n`,
  )
  process.exit(inHand.size === 0 ? exitCodes.failed : exitCodes.left)
}
process.once('beforeExit', giveUp)

let reads = false

void run(process.argv, {
  stdout: process.stdout,
  stderr: process.stderr,
  // Making the stream puts a pipe into non-blocking mode, which a program behind --exec would inherit.
  get stdin() {
    reads = true
    return process.stdin
  },
  stdinFd: 0,
  signal: interruption.signal,
  divertSignals: listener => interruption.divert(listener),
  inHand,
  whenAsked: say => {
    answer = say
  },
  whenEndedAtOnce: end => {
    endAtOnce = end
  },
}).then(async exit => {
  process.off('beforeExit', giveUp)
  // A writer that stays would keep the process alive.
  if (reads) process.stdin.destroy()
  await Promise.all([process.stdout, process.stderr].map(flushed))
  // What was given up may still wait in the kernel, such as a call of a driver, or a write that nobody reads.
  process.exit(exit)
})
