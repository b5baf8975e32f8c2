// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import type { ResumingStream } from '../device/resuming_stream.ts'
import { VfioError } from '../errors.ts'
import { streamParser } from '../kernel/stream/by_driver.ts'
import type { StreamParser } from '../kernel/stream/parser.ts'
import { windowBytes, type Data, type End } from '../wire/message.ts'
import { Condition } from './condition.ts'
import { RunningDigest } from './running_digest.ts'

/** What came, and whom to tell when it is needed no more. */
type Chunk = Pick<Data, 'bytes' | 'release'>

/** How many chunks the device is given before it has taken the first: it never waits for the next one. */
const mostWithDevice = 4

/** A device's bytes as they arrive: written one behind another, and each chunk acknowledged when it is loaded. */
export class Inflow {
  readonly #device: Device
  readonly #sink: ResumingStream
  readonly #parser: StreamParser
  readonly #queue: Chunk[] = []
  readonly #changed = new Condition()
  readonly #onLoaded: (bytes: number) => Promise<void>
  readonly #onFailure: (error: unknown) => void
  #queued = 0
  #loaded = 0
  readonly #isSummed: boolean
  readonly #running = new RunningDigest()
  #withDevice = 0
  #isOver = false

  /** `onFailure` is told of a chunk that the device did not take. */
  constructor(
    device: Device,
    {
      onLoaded,
      onFailure,
    }: {
      onLoaded: (bytes: number) => Promise<void>
      onFailure: (error: unknown) => void
    },
  ) {
    this.#device = device
    this.#sink = device.resumingStream
    this.#parser = streamParser(device.driver)
    this.#onLoaded = onLoaded
    this.#onFailure = onFailure
    // A failed write is told by its callback; the event of the same name would end the process.
    this.#sink.on('error', () => undefined)
    this.#isSummed = this.#sink.summarize()
  }

  /** @throws VfioError ERR_VFIO_PROTOCOL where more comes than the window allows. */
  push(bytes: Uint8Array, release?: () => void): void {
    if (this.#isOver) return
    this.#queued += bytes.length
    if (this.#queued > windowBytes) {
      throw new VfioError(
        'ERR_VFIO_PROTOCOL',
        `The source sends more for '${this.#device.name}' than may be under way`,
      )
    }
    this.#queue.push({ bytes, ...(release && { release }) })
    this.#write()
  }

  /**
   * Resolves when everything is loaded, and is what the source gave; or when it was stopped before.
   * @throws VfioError ERR_VFIO_INCOMPLETE where it is not, or is no whole state by the driver's own framing.
   */
  async end({ bytes, digest }: Pick<End, 'bytes' | 'digest'>): Promise<void> {
    await this.#changed.until(() => this.#isOver || this.#queued === 0)
    if (this.#isOver) return
    const why = this.#unlike(bytes, digest) ?? this.#parser.incomplete()
    if (why === undefined) return
    const text = `'${this.#device.name}' holds no whole state: ${why}`
    throw new VfioError('ERR_VFIO_INCOMPLETE', text, { device: this.#device.name })
  }

  /** Nothing more is written than what is with the device already; of what comes past this, than what the kernel has. */
  stop(): void {
    this.#isOver = true
    this.#queue.length = 0
    this.#sink.cutRelay()
    this.#changed.changed()
  }

  get bytes(): number {
    return this.#loaded
  }

  /** Of what the device has taken. */
  get digest(): string {
    return this.#sink.digest ?? this.#running.toString()
  }

  #unlike(bytes: number, digest: string): string | undefined {
    if (bytes !== this.#loaded)
      return `the source gave ${bytes} bytes and the destination took ${this.#loaded}`
    return digest === this.digest ? undefined : `the source gave other bytes than the destination took`
  }

  #write(): void {
    while (this.#withDevice < mostWithDevice) {
      const chunk = this.#queue.shift()
      if (chunk === undefined) return
      this.#withDevice++
      this.#load(chunk).catch((error: unknown) => this.#fail(error))
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#changed.fail(error)
    this.stop()
    this.#onFailure(error)
  }

  async #load({ bytes: chunk, release }: Chunk): Promise<void> {
    this.#parser.push(chunk)
    const loaded = this.#sink.load(chunk)
    // The lane writes meanwhile, and sums what it has written where it can.
    if (!this.#isSummed) this.#running.push(chunk)
    await loaded
    this.#withDevice--
    this.#loaded += chunk.length
    this.#queued -= chunk.length
    release?.()
    this.#write()
    this.#changed.changed()
    await this.#onLoaded(this.#loaded)
  }
}
