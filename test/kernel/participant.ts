// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findDevice } from '#lib/index.js'

/** Where the guest finds a program of test/kernel/participant. */
export function programPath(name: string): string {
  const directory = process.env.VFIO_MIGRATE_KERNEL_MODULES
  if (directory === undefined)
    throw new Error('VFIO_MIGRATE_KERNEL_MODULES is not set: no programs for this kernel')
  return join(directory, name)
}

/** A program that answers a line for each that it is told; ended when it is disposed of. */
export interface Talker extends AsyncDisposable {
  /** Its next line without asking. */
  hear(): Promise<string>
  ask(line: string): Promise<string>
}

/** Starts test/kernel/participant/`program`.c. */
export function startProgram(program: string, args: readonly string[]): Talker {
  const child = spawn(programPath(program), args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(child, 'close')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const hear = async (): Promise<string> => {
    const next: IteratorResult<string, unknown> = await lines.next()
    if (next.done) throw new Error(`${program} has ended`)
    return next.value
  }
  return {
    hear,
    async ask(line) {
      child.stdin.write(`${line}\n`)
      return await hear()
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await gone
    },
  }
}

/** What a device has written into the participant's memory. */
export interface Beat {
  readonly counter: bigint
  readonly seed: bigint
  readonly epoch: bigint
  readonly digest: string
}

/** A VMM's part: memory, bus mastering and interrupts of devices that it lends to others. */
export interface Participant extends AsyncDisposable {
  /** One order of test/kernel/participant/participant.c that only does something. */
  order(line: string): Promise<void>
  /** The beat that was in memory at the next interrupt; undefined when none came. */
  nextBeat(index: number): Promise<Beat | undefined>
  /** The beat that is in memory now. */
  beat(index: number): Promise<Beat>
  /** Runs a program with all devices, fd and iommufd of each from fd 3 on, and answers its exit status. */
  lend(program: readonly string[]): Promise<number>
}

/** The IOVA that a participant maps its memory at, two pages. */
export const participantIova = 0x100000n

/** Opens devices, by their addresses, in a process of their own. */
export async function startParticipant(addresses: readonly string[]): Promise<Participant> {
  const devices = await Promise.all(addresses.map(address => findDevice(address)))
  const talker = startProgram(
    'participant',
    devices.map(({ cdev }) => cdev?.node ?? ''),
  )
  await expect(talker.hear(), 'ready')
  return {
    order: line => expect(talker.ask(line), 'done'),
    nextBeat: async index => beatOf(await talker.ask(`wait ${index}`)),
    async beat(index) {
      return beatOf(await talker.ask(`beat ${index}`)) ?? Promise.reject(new Error('no beat'))
    },
    lend: async program => Number(await talker.ask(`lend ${program.join(' ')}`)),
    [Symbol.asyncDispose]: () => talker[Symbol.asyncDispose](),
  }
}

async function expect(answer: Promise<string>, word: string): Promise<void> {
  const said = await answer
  if (said !== word) throw new Error(`the participant says '${said}'`)
}

function beatOf(line: string): Beat | undefined {
  if (line === 'none') return undefined
  const [counter = '', seed = '', epoch = '', digest = ''] = line.split(' ')
  return { counter: BigInt(counter), seed: BigInt(seed), epoch: BigInt(epoch), digest }
}
