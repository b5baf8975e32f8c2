// SPDX-License-Identifier: Apache-2.0
import { finished, pipeline } from 'node:stream/promises'
import type { Context } from './context.ts'
import { Hand, type OpeningOptions } from './hand.ts'
import { untilAborted } from '../abort.ts'
import { VfioError, type ResumingStream } from '../index.ts'
import { chooseKeeping, type KeepingOptions } from './keeping.ts'
import { refuseHandingOn } from './mock.ts'
import { bytesText } from './quantity.ts'
import type { LoadOutput } from './schemas/load.ts'
import { openSource, type StateSource } from './state_source.ts'

interface LoadOptions extends OpeningOptions, KeepingOptions {
  readonly input: string
}

type Loaded = Pick<LoadOutput, 'bytes' | 'state'>

/** `vfio-migrate load DEVICE --raw -i FILE|-` */
export async function load(
  [name = '']: readonly string[],
  options: LoadOptions,
  context: Context,
): Promise<number> {
  const { input } = options
  const keeping = await chooseKeeping(options, context)
  refuseHandingOn(name, keeping)
  const source = await untilAborted(openSource(input, context), context.signal)
  try {
    const hand = await Hand.open(name, options, context)
    try {
      refuseBusy(hand)
      const { bytes, state } = await loadFrom(source, hand, context)
      const { arcs } = hand
      const device = hand.output()
      const keep = keeping.kind
      const result: LoadOutput = {
        schema: 1,
        command: 'load',
        device,
        input,
        bytes,
        arcs,
        state,
        keeping: keep,
      }
      context.outcome(result, `Loaded ${bytesText(bytes)} into '${hand.title}', which is in ${state}.`)
      context.say(keeping.words(hand))
      return await hand.attempt(
        () => keeping.keep([hand]),
        () => hand.makeBlank(),
      )
    } finally {
      await hand.close()
    }
  } finally {
    source.close()
  }
}

/** The states in which nobody else saves or loads the device. */
const freeStates: ReadonlySet<string> = new Set(['STOP', 'RUNNING', 'RUNNING_P2P'])

function refuseBusy({ before, title, device }: Hand): void {
  if (before === undefined || freeStates.has(before)) return
  throw new VfioError(
    'ERR_VFIO_REFUSED',
    `'${title}' is in ${before}: somebody else saves or loads it, or it has failed. Let whoever drives it finish, or reset it`,
    { device: device.name, state: before },
  )
}

/** Loads everything and runs the device; should anything fail, a device that was opened here is made blank. */
async function loadFrom(source: StateSource, hand: Hand, { signal }: Context): Promise<Loaded> {
  const work = async (): Promise<Loaded> => {
    await hand.go('RESUMING', { signal })
    const bytes = await untilAborted(pour(source, hand, signal), signal)
    // The device says here whether it has got a whole state.
    await hand.go('STOP', { signal })
    await hand.go('RUNNING')
    return { bytes, state: await hand.device.state() }
  }
  return await hand.attempt(work, () => hand.makeBlank())
}

async function pour({ first, rest }: StateSource, { device }: Hand, signal: AbortSignal): Promise<number> {
  const sink = device.resumingStream
  // Whoever waits is told; the event, which may come between two of them, would end the process.
  sink.on('error', () => undefined)
  await write(sink, first)
  if (typeof rest === 'number') {
    await sink.pump(rest, { signal })
    sink.end()
    await finished(sink)
  } else {
    await pipeline(rest, sink)
  }
  return sink.bytesWritten
}

async function write(sink: ResumingStream, chunk: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    sink.write(chunk, error => (error ? reject(error) : resolve()))
  })
}
