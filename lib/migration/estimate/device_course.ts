// SPDX-License-Identifier: Apache-2.0
import type { DeviceOutlook, RoundSample } from '../progress.ts'
import { assumedBytesPerMs, CostLine } from './cost_line.ts'
import { Increments } from './increments.ts'

/** What one device's final image is expected to cost; times in ms. */
export interface FinalImage {
  readonly bytes: number
  /** The arcs that stop the device, with the firmware's answer how much there is to save. */
  readonly stopArcsMs: number
  /** Of the first record, and of every other. */
  readonly saveMs: number
  /** Of the last record, and of every other. */
  readonly loadMs: number
  /** How many records it comes in. */
  readonly records: number
}

/** What a firmware's command takes where none was measured, in ms: a guess. */
const assumedCommandMs = 2

/** A size that nobody tells is not within any limit: what QEMU takes it for as well, in bytes. */
const unknownBytes = 100 * 2 ** 30

/** What the rounds have shown of one device, and what follows from that for the image that is left. */
export class DeviceCourse {
  readonly #outlook: DeviceOutlook
  readonly #saves: CostLine
  readonly #loads: CostLine
  readonly #increments = new Increments()
  #rounds = 0
  #askMs = Infinity
  /** When the last image was begun: what has changed since then is left. */
  #begunAt: number | undefined
  /** Nothing had changed until then. */
  #cleanUntil = 0
  #fullBytes: number | undefined
  #movedBytes = 0
  /** Of an image that was cut short: what is still to be read of it. */
  #cutBytes = 0
  #initialBytesLeft: number
  /** Something was promised and nothing came. */
  #isSilent = false
  #hasGivenUp = false

  constructor(outlook: DeviceOutlook) {
    this.#outlook = outlook
    this.#saves = new CostLine(this.#commandMs)
    this.#loads = new CostLine(this.#commandMs)
    this.#initialBytesLeft = outlook.precopy === 'none' ? 0 : 1
    const { precopy, precopyArcMs, stateBytes } = outlook
    if (precopy === 'full' && precopyArcMs !== undefined && stateBytes !== undefined)
      this.#saves.observe(stateBytes, precopyArcMs)
  }

  /** None of one that has given pre-copy up: they do not come any more. */
  get initialBytesLeft(): number {
    return this.#hasGivenUp ? 0 : this.#initialBytesLeft
  }

  /** Another round can make the final image smaller, or tell more about it. */
  get canImprove(): boolean {
    if (this.#outlook.precopy === 'none' || this.#hasGivenUp) return false
    return this.#outlook.precopy === 'incremental' || this.#initialBytesLeft > 0
  }

  observe(sample: RoundSample): void {
    if (sample.cut) this.#takeCut(sample)
    else this.#takeWhole(sample)
  }

  #takeWhole(sample: RoundSample): void {
    const { initialBytes, dirtyBytes, bytes, reinit } = sample
    const promised = initialBytes + dirtyBytes
    const isFirst = this.#rounds++ === 0
    if (!isFirst || this.#outlook.precopy !== 'incremental') this.#askMs = Math.min(this.#askMs, sample.askMs)
    this.#judge(promised, bytes, isFirst)
    this.#initialBytesLeft = Math.max(0, initialBytes - bytes)
    if (bytes > 0) this.#learnCosts(sample, isFirst)
    if (isFirst || reinit) this.#takeFull(sample, isFirst)
    else if (initialBytes === 0) this.#takeIncrement(sample)
    this.#movedBytes += bytes
  }

  /** Nothing comes after it but the stop: the rest of its image, and what has changed since that was begun. */
  #takeCut({ askedAt, askMs, initialBytes, dirtyBytes, bytes }: RoundSample): void {
    const promised = initialBytes + dirtyBytes
    const isFirst = this.#rounds++ === 0
    const at = isFirst ? askedAt : askedAt + askMs
    if (isFirst) this.#fullBytes = promised
    else if (initialBytes === 0 && dirtyBytes > 0) this.#increments.observe(at - this.#cleanUntil, dirtyBytes)
    this.#begunAt = at
    this.#cleanUntil = at
    this.#cutBytes = Math.max(0, promised - bytes)
    this.#initialBytesLeft = Math.max(0, initialBytes - bytes)
    this.#movedBytes += bytes
  }

  /**
   * A driver that gives pre-copy up says nothing: what it promised does not come, it promises nothing from then on, and
   * its final image is the full one. Where the first SAVE failed there never is anything.
   */
  #judge(promised: number, bytes: number, isFirst: boolean): void {
    const isEmpty = bytes === 0 && this.#outlook.precopy === 'incremental'
    if (bytes === 0 && (this.#isSilent || (isFirst && isEmpty && promised === 0))) this.#hasGivenUp = true
    this.#isSilent = bytes === 0 && (promised > 0 || this.#isSilent)
  }

  /** The first answer waits for the first SAVE, which makes that wait its cost; the others find none running. */
  #learnCosts({ askMs, firstByteMs, loadMs, bytes }: RoundSample, isFirst: boolean): void {
    this.#loads.observe(bytes, loadMs)
    if (this.#outlook.precopy !== 'incremental') return
    this.#saves.observe(bytes, isFirst ? askMs + firstByteMs : firstByteMs)
  }

  /** The first image was begun with pre-copy, just before it was asked for. */
  #takeFull({ askedAt, askMs, bytes, initialBytes }: RoundSample, isFirst: boolean): void {
    this.#begunAt = isFirst ? askedAt : askedAt + askMs
    this.#cleanUntil = this.#begunAt
    if (bytes > 0) this.#fullBytes = Math.max(bytes, bytes < initialBytes ? initialBytes : 0)
  }

  /** The answer begins the image; one that promises nothing begins none. */
  #takeIncrement({ askedAt, askMs, dirtyBytes, bytes }: RoundSample): void {
    const at = askedAt + askMs
    if (dirtyBytes > 0 && bytes === 0) return
    this.#increments.observe(at - this.#cleanUntil, bytes)
    this.#cleanUntil = at
    if (bytes > 0) this.#begunAt = at
  }

  /** The whole of it: what the first image had or, where that need not hold all, MIG_DATA_SIZE. */
  get #full(): number {
    const { chunkBytes, stateBytes } = this.#outlook
    return chunkBytes === undefined
      ? (this.#fullBytes ?? stateBytes ?? unknownBytes)
      : Math.max(this.#fullBytes ?? 0, stateBytes ?? 0)
  }

  /** Were its stopping begun at `at`, on the clock of the samples. */
  foresee(at: number): FinalImage {
    return this.#costs(this.#finalBytes(at), 0)
  }

  /** The same, if everything misses what is foreseen by as much as it has missed it before, twice over. */
  fear(at: number): FinalImage {
    return this.#costs(this.#mostBytes(at), 2)
  }

  /** The same, of one that stands and has announced `bytes`: in chunks more may follow. */
  announced(at: number, bytes: number): FinalImage {
    const isWhole = this.#outlook.chunkBytes === undefined
    return this.#costs(isWhole ? bytes : Math.max(bytes, this.#finalBytes(at)), 0)
  }

  /** Such a device starts in about the time in which it stops. */
  get startArcsMs(): number {
    return this.#outlook.startArcs * this.#commandMs
  }

  /** A firmware that is slow at one command is slow at all of them. */
  get #commandMs(): number {
    return this.#outlook.arcMs ?? assumedCommandMs
  }

  #costs(bytes: number, fears: number): FinalImage {
    const record = Math.min(bytes, this.#outlook.chunkBytes ?? Infinity)
    const assumedMs = this.#commandMs + record / assumedBytesPerMs
    return {
      bytes,
      records: record > 0 ? bytes / record : 1,
      stopArcsMs: this.#outlook.stopArcs * this.#commandMs + (this.#askMs < Infinity ? this.#askMs : 0),
      saveMs: (this.#saves.at(record) ?? assumedMs) * (1 + fears * this.#saves.error),
      loadMs: (this.#loads.at(record) ?? assumedMs) * (1 + fears * this.#loads.error),
    }
  }

  #finalBytes(at: number): number {
    return this.#cutBytes + this.#lastImageBytes(at)
  }

  #lastImageBytes(at: number): number {
    const { precopy, stateBytes } = this.#outlook
    if (precopy === 'full') return stateBytes ?? this.#full
    if (precopy !== 'incremental') return stateBytes ?? unknownBytes
    const increment = this.#isTracked ? this.#increments.at(this.#untrackedMs(at)) : undefined
    return increment === undefined ? this.#full : Math.min(this.#full, increment + this.#owedBytes)
  }

  #mostBytes(at: number): number {
    const bytes = this.#finalBytes(at)
    if (this.#outlook.precopy !== 'incremental') return bytes
    const fastest = this.#increments.peakRate * this.#untrackedMs(at) + this.#owedBytes
    return Math.min(Math.max(this.#full, bytes), Math.max(fastest, bytes * (1 + 2 * this.#increments.error)))
  }

  get #isTracked(): boolean {
    return this.#begunAt !== undefined && !this.#hasGivenUp && !this.#isSilent
  }

  /** It writes until the first of the arcs that stop it has come to its end. */
  #untrackedMs(at: number): number {
    return Math.max(0, at + this.#commandMs - this.#cleanUntil)
  }

  /** In chunk mode the first images need not hold all; what was never moved is left. */
  get #owedBytes(): number {
    const { chunkBytes, stateBytes } = this.#outlook
    return chunkBytes === undefined ? 0 : Math.max(0, (stateBytes ?? 0) - this.#movedBytes)
  }
}
