// SPDX-License-Identifier: Apache-2.0
import type {
  Answer,
  ArcsAnswer,
  DeviceBackend,
  DeviceCalls,
  ReadAnswer,
  SessionCalls,
} from '#lib/backend/seam.js'

const numbers = {
  STOP: 1,
  RUNNING: 2,
  STOP_COPY: 3,
  RESUMING: 4,
  RUNNING_P2P: 5,
  PRE_COPY: 6,
  PRE_COPY_P2P: 7,
}
const saving = [numbers.STOP_COPY, numbers.PRE_COPY, numbers.PRE_COPY_P2P]

/** A promise that the test settles. */
export function gate<T>(): { promise: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void
  const promise = new Promise<T>(resolve => (open = resolve))
  return { promise, open }
}

export interface ScriptedRead {
  readonly waitMs: number
  /** It is to be answered in memory of the receiver's own, and lent otherwise. */
  readonly own: boolean
  readonly answer: (result: number, arc: number, text?: string) => void
}

/** A session whose reads the test answers one by one, and whose calls are recorded. */
export class ScriptedSession implements SessionCalls {
  readonly log: string[]
  readonly reads: ScriptedRead[] = []
  readonly written: Buffer[] = []
  /** What it says of the bytes that were written; undefined where it does not sum. */
  sum: string | undefined
  /** What came back, as the text that it was. */
  readonly released: string[] = []
  /** What it has lent and was not given back. */
  readonly lent = new Set<ArrayBufferLike>()
  writeAnswer: (length: number) => Promise<Answer> | Answer = length => length
  info: { result: number; initialBytes: number; dirtyBytes: number; flags: number } = {
    result: 0,
    initialBytes: 0,
    dirtyBytes: 0,
    flags: 0,
  }
  closed = false
  #onRead: (() => void)[] = []

  constructor(log: string[]) {
    this.log = log
  }

  read(_maxBytes: number, waitMs: number, own = false): Promise<ReadAnswer> {
    const { promise, open } = gate<ReadAnswer>()
    this.reads.push({
      waitMs,
      own,
      answer: (result, arc, text = '') => open({ result, arc, ...this.dataOf(text, own) }),
    })
    for (const resolve of this.#onRead.splice(0)) resolve()
    return promise
  }

  protected dataOf(text: string, own: boolean): Pick<ReadAnswer, 'data' | 'lent'> {
    if (own || text === '') return { data: Buffer.from(text) }
    const data = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
    data.write(text)
    this.lent.add(data.buffer)
    return { data, lent: true }
  }

  /** The next read that the device is asked for. */
  async nextRead(): Promise<ScriptedRead> {
    for (;;) {
      const read = this.reads.shift()
      if (read) return read
      await new Promise<void>(resolve => this.#onRead.push(resolve))
    }
  }

  async write(data: Uint8Array): Promise<Answer> {
    this.log.push(`write ${data.length}`)
    const answer = await this.writeAnswer(data.length)
    if (answer >= 0) this.written.push(Buffer.from(data))
    return answer
  }

  digest(): string {
    return this.sum as string
  }

  /** As the addon: the whole of what it has lent, which shows nothing any more. */
  release(data: Uint8Array): boolean {
    if (data.length !== data.buffer.byteLength || !this.lent.delete(data.buffer)) return false
    this.released.push(Buffer.from(data).toString())
    structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })
    return true
  }

  isLent(data: Uint8Array): boolean {
    return data.length > 0 && this.lent.has(data.buffer)
  }

  precopyInfo(): ReturnType<SessionCalls['precopyInfo']> {
    this.log.push('precopyInfo')
    return Promise.resolve(this.info)
  }

  close(): Promise<void> {
    this.closed = true
    // A closed session answers the reads that wait, as the addon does.
    for (const { answer } of this.reads.splice(0)) answer(-125, 0)
    return Promise.resolve()
  }
}

/** All scripted devices live by one, at which it is always now. */
/** Time never passes. */
const clock = { now: (): number => 0, after: () => (): void => undefined }

/** A device that follows every SET unless told to fail, and records what it was asked. */
export class ScriptedDevice implements DeviceBackend {
  readonly name: string
  readonly driver = 'scripted'
  readonly origin: 'opened' | 'lent'
  readonly via = 'backend'
  readonly clock = clock
  readonly log: string[] = []
  readonly sessions: ScriptedSession[] = []
  flags = 7
  state: number = numbers.RUNNING
  arc = 0
  /** -errno for the SET of a state, once. */
  readonly failures = new Map<number, number>()
  /** Awaited before a SET is answered. */
  hold: (() => Promise<void>) | undefined
  /** Told of each session when it opens, before anybody uses it. */
  onSession: ((session: ScriptedSession) => void) | undefined
  /** The next session cannot be taken over: the process is out of fds. */
  loseSession = false
  /** -errno of what a session needs, once: then no SET is issued. */
  unprepared = 0
  resetAnswer = 0
  logs = true

  constructor(name = 'dev', origin: 'opened' | 'lent' = 'opened') {
    this.name = name
    this.origin = origin
  }

  get session(): ScriptedSession {
    const session = this.sessions.at(-1)
    if (!session) throw new Error('no session was opened')
    return session
  }

  async #setStates(states: readonly number[]): Promise<ArcsAnswer> {
    let session: ScriptedSession | undefined
    let done = 0
    if (this.unprepared !== 0) {
      const result = this.unprepared
      this.unprepared = 0
      return { result, done, times: Float64Array.of(0), arc: this.arc }
    }
    for (const to of states) {
      this.log.push(`SET ${to}`)
      await this.hold?.()
      const failure = this.failures.get(to)
      if (failure !== undefined) {
        this.failures.delete(to)
        return this.#arcs(failure, done, states.length, session)
      }
      const opens = to === numbers.RESUMING || (saving.includes(to) && !saving.includes(this.state))
      if (opens && this.loseSession) {
        this.state = to
        return this.#arcs(-24, ++done, states.length)
      }
      if (opens) {
        this.sessions.push((session = new ScriptedSession(this.log)))
        this.onSession?.(session)
      }
      this.state = to
      this.arc++
      done++
    }
    return this.#arcs(0, done, states.length, session)
  }

  #arcs(result: number, done: number, length: number, session?: ScriptedSession): ArcsAnswer {
    const times = Float64Array.from({ length: length + 1 }, (_, index) => index * 2)
    return { result, done, times, arc: this.arc, ...(session && { session }) }
  }

  readonly calls: DeviceCalls = {
    deviceInfo: () => Promise.resolve({ result: 0, flags: 2, numRegions: 2, numIrqs: 0 }),
    regionInfo: index =>
      Promise.resolve({ result: 0, flags: 3, size: index === 0 ? 8 : 0, offset: index * 2 ** 40 }),
    regionRead: (offset, length, width) => {
      this.log.push(`pread ${length} at ${offset} by ${width}`)
      return Promise.resolve({ result: length, data: new Uint8Array(length) })
    },
    regionWrite: (offset, data, width) => {
      this.log.push(`pwrite ${data.length} at ${offset} by ${width}`)
      return Promise.resolve(data.length)
    },
    probe: () => Promise.resolve(this.logs ? 0 : -25),
    migrationFlags: () => Promise.resolve(this.flags === 0 ? -25 : this.flags),
    getState: () => {
      this.log.push('GET')
      return Promise.resolve(this.state)
    },
    setStates: states => this.#setStates(states),
    dataSize: () => Promise.resolve(4096),
    optInPrecopyInfoV2: () => {
      this.log.push('INFOv2')
      return Promise.resolve(0)
    },
    dmaLoggingStart: (pageSize, ranges) => {
      this.log.push(`LOG_START ${pageSize} ${ranges.join(' ')}`)
      return Promise.resolve(pageSize)
    },
    dmaLoggingStop: () => Promise.resolve(0),
    dmaLoggingReport: () => Promise.resolve({ result: 0, bitmap: new BigUint64Array(1) }),
    reset: () => {
      this.log.push('RESET')
      if (this.resetAnswer === 0) this.state = numbers.RUNNING
      return Promise.resolve(this.resetAnswer)
    },
    fds: () => ({ device: -1 }),
    close: () => {
      this.log.push('close')
      return Promise.resolve()
    },
  }
}
