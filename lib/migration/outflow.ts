// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { VfioError } from '../errors.ts'
import { streamParser } from '../kernel/stream/by_driver.ts'
import type { StreamParser } from '../kernel/stream/parser.ts'
import type { Link } from '../link/link.ts'
import { maxDataBytes, type DestinationMessage, type SourceMessage } from '../wire/message.ts'
import { Condition } from './condition.ts'
import { RunningDigest } from './running_digest.ts'
import type { Throttle } from './throttle.ts'

/** The most of a device's bytes that are under way: less than the other side takes, as no device loads faster for more. */
const underWayBytes = 8 * 1024 * 1024

/** What is known of a chunk by who has read it. */
export interface ChunkFacts {
  /** Whoever has read it sums it, and tells at the end. */
  readonly isSummed?: boolean
  /** To be called when it is needed no more. */
  readonly release?: () => void
}

export type SourceLink = Link<SourceMessage, DestinationMessage>

/**
 * A device's bytes on their way to the destination, counted, and no more of them than the window has room for; summed, unless
 * whoever has read them does.
 */
export class Outflow {
  readonly #member: number
  readonly #device: string
  readonly #clock: Clock
  readonly #link: SourceLink
  readonly #throttle: Throttle
  readonly #parser: StreamParser
  readonly #acknowledged = new Condition()
  readonly #onLoaded: (bytes: number) => void
  #loadedAt: number | undefined
  #sent = 0
  #loaded = 0
  readonly #running = new RunningDigest()
  #digest: string | undefined

  constructor(
    member: number,
    device: Pick<Device, 'name' | 'driver' | 'clock'>,
    { link, throttle, onLoaded }: { link: SourceLink; throttle: Throttle; onLoaded: (bytes: number) => void },
  ) {
    this.#member = member
    this.#device = device.name
    this.#clock = device.clock
    this.#link = link
    this.#throttle = throttle
    this.#parser = streamParser(device.driver)
    this.#onLoaded = onLoaded
  }

  get bytes(): number {
    return this.#sent
  }

  /** When the device at the other end had last taken all that was sent, on this side's clock. */
  get loadedAt(): number | undefined {
    return this.#loadedAt
  }

  /** Of all that was sent; undefined before that. */
  get digest(): string | undefined {
    return this.#digest
  }

  /** An image has begun to go out, where the driver frames them: on mlx5 another record comes before the first. */
  get hasImage(): boolean {
    return this.#parser.initialEnd !== undefined
  }

  /** What mlx5 at the destination sets aside for an image, as the first record says. */
  get announcedBytes(): number | undefined {
    return this.#parser.announcedBytes
  }

  /** Where the image lies whose header was given last, as a StreamParser has it: known before it has gone out. */
  get begunImage(): StreamParser['begunImage'] {
    return this.#parser.begunImage
  }

  /** Images that have gone out whole, where the driver frames them. */
  get images(): number {
    return this.#parser.images
  }

  /** Gives the chunk away. Resolves when there is room for another. */
  async send(chunk: Uint8Array, { isSummed = false, release }: ChunkFacts = {}): Promise<void> {
    // Now: who has it may give its memory back.
    if (!isSummed) this.#running.push(chunk)
    this.#parser.push(chunk)
    for (let at = 0; at < chunk.length; at += maxDataBytes) {
      const isLast = at + maxDataBytes >= chunk.length
      await this.#sendPiece(chunk.subarray(at, at + maxDataBytes), isLast ? release : undefined)
    }
  }

  async #sendPiece(bytes: Uint8Array, release: (() => void) | undefined): Promise<void> {
    await this.#throttle.take(bytes.length)
    await this.#acknowledged.until(
      () => this.#underWay === 0 || this.#underWay + bytes.length <= underWayBytes,
    )
    this.#sent += bytes.length
    await this.#link.send({ kind: 'data', member: this.#member, bytes, ...(release && { release }) })
  }

  /** Resolves when the device at the other end has taken all that was sent, or `isOver` when {@link lookAgain} is called. */
  async allLoaded(isOver: () => boolean = () => false): Promise<void> {
    await this.#acknowledged.until(() => this.#underWay === 0 || isOver())
  }

  /** What else is waited for may have come. */
  lookAgain(): void {
    this.#acknowledged.changed()
  }

  /**
   * `digest`: of all chunks, by who has read them.
   * @throws VfioError ERR_VFIO_INCOMPLETE where what was sent is no whole state by the driver's own framing.
   */
  async end(digest: string = this.#running.toString()): Promise<void> {
    const why = this.#parser.incomplete()
    if (why !== undefined) {
      const text = `'${this.#device}' gave no whole state: ${why}`
      throw new VfioError('ERR_VFIO_INCOMPLETE', text, { device: this.#device })
    }
    this.#digest = digest
    await this.#link.send({ kind: 'end', member: this.#member, bytes: this.#sent, digest })
  }

  /**
   * The destination's word for it.
   * @throws VfioError ERR_VFIO_PROTOCOL for more than was sent, or less than was loaded before.
   */
  acknowledge(bytes: number): void {
    if (!(bytes >= this.#loaded && bytes <= this.#sent)) {
      throw this.#broken(`has ${bytes} bytes of '${this.#device}' of which ${this.#sent} were sent`)
    }
    this.#loaded = bytes
    if (this.#underWay === 0) this.#loadedAt = this.#clock.now()
    this.#onLoaded(bytes)
    this.#acknowledged.changed()
  }

  /** The destination's word that it has all. @throws VfioError ERR_VFIO_PROTOCOL where that is not what was sent. */
  complete(bytes: number, digest: string): void {
    if (bytes === this.#sent && digest === this.#digest) return
    throw this.#broken(`calls '${this.#device}' complete, and has other bytes than were sent`)
  }

  #broken(what: string): VfioError {
    return new VfioError('ERR_VFIO_PROTOCOL', `The destination ${what}`, { device: this.#device })
  }

  /** Nothing is acknowledged any more. */
  fail(error: unknown): void {
    this.#acknowledged.fail(error)
  }

  get #underWay(): number {
    return this.#sent - this.#loaded
  }
}
