// SPDX-License-Identifier: Apache-2.0
import { VfioError, type StateName } from '../index.ts'
import { refuseBlankSource } from './blank_source.ts'
import type { Context } from './context.ts'
import { Hand, type OpeningOptions } from './hand.ts'
import { untilAborted, withTimeout } from './interruption.ts'
import { bytesText } from './quantity.ts'
import { UsageError } from './refusals.ts'
import type { SaveOutput } from './schemas/save.ts'
import { openSink, type StateSink } from './state_sink.ts'

interface SaveOptions extends OpeningOptions {
  readonly output: string
  readonly resumeSource?: boolean
  readonly blankSource?: boolean
  readonly timeout?: number
}

type Saved = Pick<SaveOutput, 'bytes' | 'precopyBytes'>

/** `vfio-migrate save DEVICE --raw -o FILE|-` */
export async function save(
  [name = '']: readonly string[],
  options: SaveOptions,
  context: Context,
): Promise<void> {
  const { output } = options
  if (output === '-' && context.json)
    throw new UsageError('stdout carries the state or the JSON: name a file with -o')
  await refuseBlankSource(name, options)
  const sink = await openSink(output, context)
  try {
    const hand = await Hand.take(name, options, context)
    try {
      const saved = await saveInto(sink, hand, options, context)
      const state = await hand.device.state()
      const { arcs } = hand
      const result: SaveOutput = {
        schema: 1,
        command: 'save',
        device: hand.output(),
        output,
        ...saved,
        arcs,
        state,
      }
      context.outcome(result, words(name, result, hand))
    } finally {
      await hand.close()
    }
  } finally {
    await sink.discard()
  }
}

/** Saves everything; should anything fail, the file included, the device runs on as before. */
async function saveInto(
  sink: StateSink,
  hand: Hand,
  { resumeSource, timeout }: SaveOptions,
  context: Context,
): Promise<Saved> {
  const before = await hand.device.state()
  const signal = withTimeout(context.signal, timeout)
  const work = async (): Promise<Saved> => {
    const begin = beginning(before, hand)
    const saved = await new Saving(hand, sink, signal).run(begin)
    await sink.commit()
    return saved
  }
  const saved = await hand.attempt(work, () => hand.putBack())
  // The state is saved and has its name: a failure from here on leaves the device where it is.
  await hand.attempt(
    () => hand.go(resumeSource ? before : 'STOP'),
    () => Promise.resolve(),
  )
  return saved
}

/** The state in which saving begins: no arc on the way may let a stopped device run. */
function beginning(before: StateName, { device }: Hand): StateName {
  const { preCopy } = device.capabilities
  if (before === 'STOP') return 'STOP_COPY'
  if (before === 'RUNNING') return preCopy ? 'PRE_COPY' : 'STOP_COPY'
  if (before === 'RUNNING_P2P') return preCopy ? 'PRE_COPY_P2P' : 'STOP_COPY'
  const text = `'${device.name}' is in ${before}: somebody else saves or loads it, or it has failed`
  throw new VfioError('ERR_VFIO_REFUSED', text, { device: device.name, state: before })
}

class Saving {
  readonly #hand: Hand
  readonly #sink: StateSink
  readonly #signal: AbortSignal
  #bytes = 0

  constructor(hand: Hand, sink: StateSink, signal: AbortSignal) {
    this.#hand = hand
    this.#sink = sink
    this.#signal = signal
  }

  async run(begin: StateName): Promise<Saved> {
    await this.#hand.go(begin, { signal: this.#signal })
    if (begin !== 'STOP_COPY') await this.#precopy()
    const precopyBytes = this.#bytes
    if (begin !== 'STOP_COPY') await this.#hand.go('STOP_COPY', { signal: this.#signal })
    await this.#drain('end')
    return { bytes: this.#bytes, precopyBytes }
  }

  /** Until the initial bytes are read. Each answer is followed by reading what it announced. */
  async #precopy(): Promise<void> {
    await this.#drain('idle')
    for (let initialBytes = 1; initialBytes > 0;) {
      ;({ initialBytes } = await this.#hand.device.precopyInfo())
      await this.#drain('idle')
    }
  }

  /** An abort stops the waiting, for the device as for the sink; the arcs are waited for. */
  async #drain(until: 'idle' | 'end'): Promise<void> {
    await untilAborted(this.#copy(until), this.#signal)
  }

  async #copy(until: 'idle' | 'end'): Promise<void> {
    for await (const chunk of this.#hand.device.savingStream.chunks({ until })) {
      this.#signal.throwIfAborted()
      await this.#sink.write(chunk)
      this.#bytes += chunk.length
    }
  }
}

function words(name: string, { bytes, precopyBytes, output, state }: SaveOutput, hand: Hand): string {
  const where = output === '-' ? 'stdout' : output
  const early = precopyBytes > 0 ? ` (${bytesText(precopyBytes)} while it ran)` : ''
  const saved = `Saved ${bytesText(bytes)}${early} of '${name}' to ${where}.`
  const stopped =
    hand.before === 'STOP' ? 'It is in STOP as before.' : 'It does not run on (--resume-source lets it).'
  const now = state === 'STOP' ? stopped : `It is in ${state} again.`
  return [saved, now, hand.ending(state)].filter(Boolean).join(' ')
}
