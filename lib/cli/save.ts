// SPDX-License-Identifier: Apache-2.0
import { saveState, type StateName } from '../index.ts'
import { refuseBlankMock, refuseBlankSource } from './blank_source.ts'
import type { Context } from './context.ts'
import { Hand, type OpeningOptions } from './hand.ts'
import { bytesText } from './quantity.ts'
import { UsageError } from './refusals.ts'
import type { SaveOutput } from './schemas/save.ts'
import { openSink, type StateSink } from './state_sink.ts'

interface SaveOptions extends OpeningOptions {
  readonly output: string
  readonly resumeSource?: boolean
  readonly blankSource?: boolean
}

type Saved = Pick<SaveOutput, 'bytes' | 'precopyBytes' | 'state'>

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
    const hand = await Hand.open(name, options, context)
    try {
      refuseBlankMock(name, hand, options)
      const saved = await saveInto(sink, hand, options, context)
      const { arcs } = hand
      const result: SaveOutput = {
        schema: 1,
        command: 'save',
        device: hand.output(),
        output,
        ...saved,
        arcs,
      }
      context.outcome(result, words(result, hand))
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
  { resumeSource }: SaveOptions,
  { signal }: Context,
): Promise<Saved> {
  const before = await hand.device.state()
  const work = async (): Promise<Omit<Saved, 'state'>> => {
    const into = sink.fd ?? ((chunk: Uint8Array) => sink.write(chunk))
    const { bytes, precopyBytes } = await sink.naming(saveState(hand, into, signal))
    await sink.commit()
    return { bytes, precopyBytes }
  }
  const saved = await hand.attempt(work, () => hand.putBack())
  // The state is saved and has its name: a failure from here on leaves the device where it is.
  const leave = async (): Promise<StateName> => {
    await hand.go(resumeSource ? before : 'STOP')
    return await hand.device.state()
  }
  return { ...saved, state: await hand.attempt(leave, () => Promise.resolve()) }
}

function words({ bytes, precopyBytes, output, state }: SaveOutput, hand: Hand): string {
  const where = output === '-' ? 'stdout' : output
  const early = precopyBytes > 0 ? ` (${bytesText(precopyBytes)} while it ran)` : ''
  const saved = `Saved ${bytesText(bytes)}${early} of '${hand.title}' to ${where}.`
  const stopped =
    hand.before === 'STOP' ? 'It is in STOP as before.' : 'It does not run on (--resume-source lets it).'
  const now = state === 'STOP' ? stopped : `It is in ${state} again.`
  return [saved, now, hand.ending(state)].filter(Boolean).join(' ')
}
