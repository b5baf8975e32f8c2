// SPDX-License-Identifier: Apache-2.0
import type { Device, PrecopyInfo } from '../device/device.ts'
import type { Pause, SavingStream } from '../device/saving_stream.ts'
import { checkUnmoved } from '../device/transition.ts'
import { VfioError } from '../errors.ts'
import { driverManners } from '../kernel/drivers.ts'
import { Condition } from './condition.ts'
import type { Outflow } from './outflow.ts'
import type { RoundSample } from './progress.ts'
import { promiseWaitMs } from './promise.ts'
import { savingBegins } from './saving.ts'
import type { Side } from './side.ts'
import type { Stop } from './stop.ts'

/** What a device that stands has announced of its last image, by the headers of its records. */
export interface Announced {
  /** From the stop to the end of the last record that is known: of several chunks more may follow. */
  readonly bytes: number
  /** When the first header was read, on the device's clock. */
  readonly readAt: number
}

export interface SourceMemberOptions {
  readonly wantsPrecopy: boolean
  readonly stop: Stop
  /**
   * The destination of this process, of a link at whose pace nothing waits: the bytes may go there past the link, over which
   * they are told of all the same.
   */
  readonly relayTo?: Device | undefined
}

/** One device that gives its state. */
export class SourceMember {
  readonly side: Side
  readonly outflow: Outflow
  readonly samples: RoundSample[] = []
  /** MIG_DATA_SIZE, as the preflight heard of it; undefined where the driver does not tell. */
  stateBytes: number | undefined
  precopyBytes = 0
  sideDataBytes = 0
  /** When the first bytes after the stop were read, and the last ones had been sent. */
  firstByteAt: number | undefined
  lastSentAt: number | undefined
  readonly #wantsPrecopy: boolean
  readonly #changed = new Condition()
  #isSilent = false
  #isCut = false
  /** What was sent before it stopped, and all of it. */
  #sentBefore = 0
  #hasEnded = false
  #announced: Announced | undefined
  readonly #stop: Stop
  readonly #relayTo: Device | undefined

  constructor(side: Side, outflow: Outflow, { wantsPrecopy, stop, relayTo }: SourceMemberOptions) {
    this.side = side
    this.outflow = outflow
    this.#wantsPrecopy = wantsPrecopy
    this.#stop = stop
    this.#relayTo = relayTo
  }

  /** Undefined before it stands, and for a driver that frames no images. */
  get announced(): Announced | undefined {
    return this.#announced
  }

  /** It is read while it runs: known when it was asked where it is. */
  get hasPrecopy(): boolean {
    const { before, device } = this.side
    return this.#wantsPrecopy && before !== undefined && savingBegins(before, device) !== 'STOP_COPY'
  }

  get restarts(): number {
    return this.samples.filter(({ reinit }) => reinit).length
  }

  /**
   * The driver promised an image and none came since: it tells nobody when it gives pre-copy up, and saves the whole state
   * at the stop (mlx5: a SAVE that ended with BAD_RES_STATE_ERR).
   */
  get gaveUpPrecopy(): boolean {
    return this.#isSilent
  }

  /** Asks once, on a drained queue, and moves what was promised. Source: decision by the numbers, never on a timer. */
  async round(): Promise<RoundSample | undefined> {
    if (!this.hasPrecopy) return undefined
    const { clock } = this.side.device
    const { images } = this.outflow
    const askedAt = clock.now()
    const info = await this.#stop.during(this.#ask())
    const answeredAt = clock.now()
    const moved = await this.#move('idle')
    const sentAt = clock.now()
    await this.#stop.during(this.outflow.allLoaded(() => this.#isCut))
    const sample = {
      askedAt,
      askMs: answeredAt - askedAt,
      ...this.#judge(info, moved.bytes, images),
      reinit: info.reinit,
      firstByteMs: moved.firstAt === undefined ? 0 : moved.firstAt - answeredAt,
      sendMs: moved.firstAt === undefined ? 0 : sentAt - moved.firstAt,
      loadMs: clock.now() - sentAt,
      ...(this.#isCut && { cut: true }),
    }
    this.samples.push(sample)
    this.precopyBytes = this.outflow.bytes
    return sample
  }

  /** No round is brought to its end any more. */
  cutShort(): void {
    this.#isCut = true
    this.outflow.lookAgain()
  }

  /** What was promised and what came of it; what comes beside an image, such as the first record of mlx5, is neither. */
  #judge(
    { initialBytes, dirtyBytes }: PrecopyInfo,
    bytes: number,
    imagesBefore: number,
  ): Pick<RoundSample, 'initialBytes' | 'dirtyBytes' | 'bytes'> {
    // What was cut short may have come to no image, and says nothing of the driver.
    if (!this.#hasImages || this.#isCut) return { initialBytes, dirtyBytes, bytes }
    const isEmpty = this.outflow.images === imagesBefore
    const isFirst = this.samples.length === 0
    this.#isSilent = isEmpty && (isFirst || this.#isSilent || initialBytes + dirtyBytes > 0)
    if (!isEmpty) return { initialBytes, dirtyBytes, bytes }
    return { initialBytes: Math.max(0, initialBytes - bytes), dirtyBytes, bytes: 0 }
  }

  get #hasImages(): boolean {
    const precopy = driverManners(this.side.device.driver)?.precopy
    return precopy === 'incremental' || precopy === 'full'
  }

  /** Everything up to the end of the stream, once the device is in STOP_COPY. `before` the word that it is all. */
  async finish(before: Promise<void>): Promise<void> {
    const { device } = this.side
    const { savingStream } = device
    const { images: imagesBefore } = this.outflow
    this.#sentBefore = this.outflow.bytes
    const { firstAt } = await this.#move('end')
    this.#hasEnded = true
    this.#changed.changed()
    this.firstByteAt = firstAt ?? device.clock.now()
    this.lastSentAt = device.clock.now()
    this.#checkFinal(imagesBefore)
    await before
    // Whoever has led it on meanwhile has made it run.
    checkUnmoved('STOP_COPY', await device.state(), device.name)
    await this.outflow.end(savingStream.digest)
  }

  /**
   * The last image comes in records of so many bytes, by the first record of mlx5; undefined before that was read, and
   * where it is one record.
   */
  get chunkBytes(): number | undefined {
    const { announcedBytes } = this.outflow
    return announcedBytes !== undefined && announcedBytes < (this.stateBytes ?? 0)
      ? announcedBytes
      : undefined
  }

  /** Calls `look` when it has announced more, until it has announced all that its driver's framing tells, or has given it. */
  async whileAnnouncing(look: () => void): Promise<void> {
    await this.#changed.until(() => {
      look()
      return (
        !this.#hasImages || this.#hasEnded || (this.#announced !== undefined && this.chunkBytes === undefined)
      )
    })
  }

  #hear(readAt: number): void {
    const image = this.outflow.begunImage
    if (image === undefined || image.from < this.#sentBefore) return
    this.#announced = { bytes: image.end - this.#sentBefore, readAt: this.#announced?.readAt ?? readAt }
    this.#changed.changed()
  }

  /** Where the stream was cut between two images its framing does not show it: the last one is made at the stop. */
  #checkFinal(imagesBefore: number): void {
    const { name } = this.side.device
    const { begunImage, images } = this.outflow
    // Of one that the deadline cut short the rest came first.
    const isBegunHere = begunImage !== undefined && begunImage.from >= this.#sentBefore
    const isCut = this.#hasImages && !(isBegunHere && images > imagesBefore)
    if (this.outflow.bytes > 0 && !isCut) return
    const why = isCut ? 'gave no image when it had stopped' : 'gave no state: its stream was empty'
    throw new VfioError('ERR_VFIO_INCOMPLETE', `'${name}' ${why}`, { device: name })
  }

  async #ask(): Promise<PrecopyInfo> {
    return await this.side.device.precopyInfo({ waitMs: promiseWaitMs(this.samples) })
  }

  async #move(until: Pause): Promise<{ bytes: number; firstAt: number | undefined }> {
    return await this.#stop.during(this.#drain(until))
  }

  #relay(stream: SavingStream): void {
    try {
      if (this.#relayTo) stream.relayTo(this.#relayTo.resumingStream)
    } catch {
      // It was reset, say: which it finds, and tells, when it is given the first chunk.
    }
  }

  async #drain(until: Pause): Promise<{ bytes: number; firstAt: number | undefined }> {
    const { savingStream, clock } = this.side.device
    const isSummed = savingStream.summarize()
    this.#relay(savingStream)
    let bytes = 0
    let firstAt: number | undefined
    for await (const chunk of savingStream.chunksToRelease(until)) {
      this.#stop.throwIfStopped()
      const readAt = clock.now()
      bytes += chunk.length
      const sent = this.outflow.send(chunk, {
        isSummed,
        release: () => savingStream.release(chunk),
      })
      // Before there is room on the link for what it has announced.
      if (until === 'end') this.#hear(readAt)
      await sent
      if (!this.#hasImages || this.outflow.hasImage) firstAt ??= readAt
      if (this.#isCut && until === 'idle') break
    }
    return { bytes, firstAt }
  }
}
