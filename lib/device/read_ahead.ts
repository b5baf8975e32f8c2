// SPDX-License-Identifier: Apache-2.0
import type { PumpAnswer, ReadAnswer, SessionCalls } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import type { Buffers } from './buffers.ts'

/** What the device has been led to, or has announced, since a read was posted. */
export interface News {
  /** How long a read waits for what was announced, in ms. */
  readonly waitMs?: number
  readonly leaving?: boolean
  readonly stopCopyArc?: number | undefined
}

/** Why no more bytes come: the device's last one was read, or a read has failed with this -errno or error. */
export type Over = 'end' | number | Error

const nothing = new Uint8Array(0)

/** Takes what the device gives past this, until that has nothing now or something else stops it. */
export interface Diversion {
  /** What it has read so far. */
  readonly bytesRead: number
  /** It is to run no more. */
  readonly isOver: boolean
  run(waitMs: number): Promise<PumpAnswer>
}

/**
 * The reads of a saving session: several are posted at once, answered in their order, and what they gave lies here until
 * somebody takes it. No more memory is used than its buffers, and that of one chunk that its taker has given back, and
 * nothing is asked of a device that has nothing now.
 */
export class ReadAhead {
  readonly #session: SessionCalls
  #buffers: Required<Buffers>
  readonly #onNews: () => void
  readonly #ready: ReadAnswer[] = []
  #readyBytes = 0
  #posted = 0
  /** See {@link returned}. */
  #hasSpare = false
  /** One of those that are posted gave nothing: those behind it are not made, and all have to come back before it goes on. */
  #isInterrupted = false
  #isStarted = false
  /** The device has nothing now, and nothing has been heard of it since. */
  #isDry = false
  #waitMs = 0
  #nudges = 0
  #stopCopyArc = Infinity
  #isLeaving = false
  #over: Over | undefined
  #isStopped = false
  /** The device has left the saving group, and has no more. */
  #isLeft = false
  #bytesRead = 0
  #diversion: Diversion | undefined

  /** `onNews` is told of bytes, of a pause, and of the end. */
  constructor(session: SessionCalls, buffers: Required<Buffers>, onNews: () => void) {
    this.#session = session
    this.#buffers = buffers
    this.#onNews = onNews
  }

  /**
   * Whether who takes what is read from now on takes it as it is lent. Else it is read into memory of its own at once: lent
   * first and copied afterwards the same bytes would press twice on the collector of garbage.
   */
  lends = false

  /** All that was read, in bytes. */
  get bytesRead(): number {
    return this.#bytesRead + (this.#diversion?.bytesRead ?? 0)
  }

  /** What was read and not taken, in bytes. */
  get bytes(): number {
    return this.#readyBytes
  }

  get isStarted(): boolean {
    return this.#isStarted
  }

  /** The device has nothing now, and all that it had is taken. */
  get isIdle(): boolean {
    return this.#isDry && this.#ready.length === 0
  }

  /** Where all is taken that was read: why there is no more. */
  get over(): Over | undefined {
    return this.#ready.length === 0 ? this.#over : undefined
  }

  /** Whoever takes now sets the diversion going. */
  get mayDivert(): boolean {
    if (this.#diversion === undefined || this.#diversion.isOver) return false
    return this.#posted === 0 && this.#ready.length === 0 && this.#mayPost
  }

  /**
   * Two reads have all the room: for who is read for anyway, and only hears of it. No fewer, or the lane would wait for that.
   */
  readInHalves(): void {
    const { count, bytes } = this.#buffers
    if (count > 2) this.#buffers = { count: 2, bytes: Math.floor((count * bytes) / 2) }
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#post()
  }

  take(): ReadAnswer | undefined {
    if (this.mayDivert) this.#divert()
    const answer = this.#ready.shift()
    if (answer === undefined) return undefined
    this.#readyBytes -= answer.result
    // It has the place of the spare.
    if (this.#hasSpare) this.#hasSpare = false
    else this.#post()
    return answer
  }

  /** Of what was taken some memory is free again: until more is taken it does for another read. */
  returned(): void {
    this.#hasSpare = true
    this.#post()
  }

  /**
   * From now on the diversion gets everything behind what was read ahead, until this is called without one. It is set going
   * by whoever takes and finds nothing: by then all before it is done with. Either ends the reading ahead, until it is
   * started again.
   */
  divert(diversion?: Diversion): void {
    this.#bytesRead += this.#diversion?.bytesRead ?? 0
    this.#diversion = diversion
    this.#isStarted = false
  }

  /** Somebody took this, which may be `lent`, and could not use it: it is the first to be taken. */
  giveBack(data: Uint8Array, lent = false): void {
    if (data.length === 0 || this.#isStopped) return
    this.#ready.unshift({ result: data.length, data, lent, arc: 0 })
    this.#readyBytes += data.length
  }

  /** There may be something to read again. */
  nudge({ waitMs = 0, leaving, stopCopyArc }: News): void {
    this.#nudges++
    this.#isDry = false
    this.#waitMs = waitMs
    this.#isLeaving = leaving ?? this.#isLeaving
    this.#stopCopyArc = stopCopyArc ?? this.#stopCopyArc
    this.#isLeft = false
    this.#goOn()
  }

  /** The device is about to leave the saving group: ENODEV from now on is the answer to that. */
  leave(): void {
    this.#isLeaving = true
  }

  /** Nobody takes anything any more. */
  stop(): void {
    this.#isStopped = true
    for (const { data, lent } of this.#ready.splice(0)) if (lent) this.#session.release?.(data)
    this.#readyBytes = 0
  }

  /** A diversion begins only when its user asks: what that has in hand comes first. */
  #goOn(): void {
    if (this.#diversion) this.#onNews()
    else this.#post()
  }

  #post(): void {
    if (this.#diversion) return
    const { bytes } = this.#buffers
    const most = this.#buffers.count + (this.#hasSpare ? 1 : 0)
    while (this.#mayPost && this.#posted + this.#ready.length < most) {
      if (this.#posted === 0) {
        this.#isInterrupted = false
        this.#follow(this.#session.read(bytes, this.#waitMs, !this.lends))
      } else if (this.#session.readBehind && !this.#isInterrupted) {
        this.#follow(this.#session.readBehind(bytes, !this.lends))
      } else return
    }
  }

  get #mayPost(): boolean {
    const isOver = this.#isStopped || this.#isLeft || this.#over !== undefined
    return this.#isStarted && !this.#isDry && !isOver
  }

  #follow(read: Promise<ReadAnswer>): void {
    this.#posted++
    const nudges = this.#nudges
    read.then(
      answer => this.#take(answer, nudges),
      (crash: unknown) => this.#end(crash as Error),
    )
  }

  #take(answer: ReadAnswer, nudges: number): void {
    this.#posted--
    const { result, arc, data, lent } = answer
    if (this.#isStopped || this.#over !== undefined) {
      if (lent) this.#session.release?.(data)
      return
    }
    this.#isInterrupted ||= result <= 0
    if (result > 0) this.#keep(answer)
    // It was not made.
    else if (result === -errno.EAGAIN) this.#goOn()
    else this.#cease(result, arc, nudges)
  }

  /** A read gave nothing. */
  #cease(result: number, arc: number, nudges: number): void {
    if (result === 0 && arc >= this.#stopCopyArc) this.#end('end')
    else if (result === 0 || result === -errno.ENOMSG) this.#pause(nudges)
    else if (this.#isLeaving && result === -errno.ENODEV) this.#isLeft = true
    else this.#end(result)
  }

  #divert(): void {
    this.#posted++
    const nudges = this.#nudges
    this.#diversion?.run(this.#waitMs).then(
      answer => this.#takeDiverted(answer, nudges),
      (crash: unknown) => this.#end(crash as Error),
    )
  }

  #takeDiverted({ result, call, bytes, arc, rest = nothing }: PumpAnswer, nudges: number): void {
    this.#posted--
    if (bytes + rest.length > 0) this.#waitMs = 0
    this.giveBack(rest)
    const isRead = call === 'read' && result <= 0 && result !== -errno.ECANCELED
    if (isRead && !this.#isStopped) this.#cease(result, arc, nudges)
    this.#onNews()
  }

  #keep(answer: ReadAnswer): void {
    // An image arrives as one: its first bytes say that the rest is there to be read.
    this.#waitMs = 0
    this.#bytesRead += answer.result
    this.#readyBytes += answer.result
    this.#ready.push(answer)
    // Otherwise there is no more room than before.
    if (this.#posted === 0) this.#post()
    this.#onNews()
  }

  /** Asked before a nudge, an answer says nothing about what is there after it. */
  #pause(nudges: number): void {
    this.#isDry = nudges === this.#nudges
    if (this.#isDry) this.#onNews()
    else this.#goOn()
  }

  #end(over: Over): void {
    if (this.#isStopped) return
    this.#over = over
    this.#onNews()
  }
}
