// SPDX-License-Identifier: Apache-2.0
import { crc32 } from 'node:zlib'
import type { Device } from '../device/device.ts'
import { VfioError } from '../errors.ts'
import { streamParser } from '../kernel/stream/by_driver.ts'
import type { StreamParser } from '../kernel/stream/parser.ts'
import { windowBytes, type Data, type End } from '../wire/message.ts'
import { Condition } from './condition.ts'

/** What came, and whom to tell when it is needed no more. */
type Chunk = Pick<Data, 'bytes' | 'release'>

/** A device's bytes as they arrive: one chunk is written after another, and each is acknowledged when it is loaded. */
export class Inflow {
  readonly #device: Device
  readonly #parser: StreamParser
  readonly #queue: Chunk[] = []
  readonly #changed = new Condition()
  readonly #onLoaded: (bytes: number, writeMs: number) => Promise<void>
  readonly #onFailure: (error: unknown) => void
  #queued = 0
  #loaded = 0
  #crc32 = 0
  #isWriting = false
  #isOver = false

  /** `onFailure` is told of a chunk that the device did not take. */
  constructor(
    device: Device,
    {
      onLoaded,
      onFailure,
    }: {
      onLoaded: (bytes: number, writeMs: number) => Promise<void>
      onFailure: (error: unknown) => void
    },
  ) {
    this.#device = device
    this.#parser = streamParser(device.driver)
    this.#onLoaded = onLoaded
    this.#onFailure = onFailure
    // A failed write is told by its callback; the event of the same name would end the process.
    device.resumingStream.on('error', () => undefined)
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
    if (!this.#isWriting) void this.#write()
  }

  /**
   * Resolves when everything is loaded, and is what the source gave; or when it was stopped before.
   * @throws VfioError ERR_VFIO_INCOMPLETE where it is not, or is no whole state by the driver's own framing.
   */
  async end({ bytes, crc32 }: Pick<End, 'bytes' | 'crc32'>): Promise<void> {
    await this.#changed.until(() => this.#isOver || this.#queued === 0)
    if (this.#isOver) return
    const why = this.#unlike(bytes, crc32) ?? this.#parser.incomplete()
    if (why === undefined) return
    const text = `'${this.#device.name}' holds no whole state: ${why}`
    throw new VfioError('ERR_VFIO_INCOMPLETE', text, { device: this.#device.name })
  }

  /** Nothing more is written than what is with the device already. */
  stop(): void {
    this.#isOver = true
    this.#queue.length = 0
    this.#changed.changed()
  }

  get bytes(): number {
    return this.#loaded
  }

  get crc32(): number {
    return this.#crc32
  }

  #unlike(bytes: number, sum: number): string | undefined {
    if (bytes !== this.#loaded)
      return `the source gave ${bytes} bytes and the destination took ${this.#loaded}`
    return sum === this.#crc32 ? undefined : `the source gave other bytes than the destination took`
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    try {
      for (let chunk = this.#queue.shift(); chunk !== undefined; chunk = this.#queue.shift())
        await this.#load(chunk)
    } catch (error) {
      this.#changed.fail(error)
      this.stop()
      this.#onFailure(error)
    } finally {
      this.#isWriting = false
    }
  }

  async #load({ bytes: chunk, release }: Chunk): Promise<void> {
    const sink = this.#device.resumingStream
    const begun = this.#device.clock.now()
    const written = new Promise<void>((resolve, reject) => {
      sink.write(chunk, error => (error ? reject(error) : resolve()))
    })
    // The lane writes meanwhile, and sums what it has written where it can.
    this.#parser.push(chunk)
    const sum = sink.crc32 === undefined ? crc32(chunk, this.#crc32) : undefined
    await written
    this.#crc32 = sum ?? sink.crc32 ?? 0
    this.#loaded += chunk.length
    this.#queued -= chunk.length
    release?.()
    this.#changed.changed()
    await this.#onLoaded(this.#loaded, this.#device.clock.now() - begun)
  }
}
