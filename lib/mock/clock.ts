// SPDX-License-Identifier: Apache-2.0
import { longestTimer, monotonicClock, type CancelWait, type Clock } from '../clock.ts'
import { checkDuration } from './control_arguments.ts'
import { WaitList } from './wait_list.ts'

export { sleep, type CancelWait } from '../clock.ts'

/** What a simulated device waits by. */
export interface MockClock extends Clock {
  /** A call was made or answered: whoever made it has yet to go on. */
  touch(): void
}

let reasons = 0
let handle: NodeJS.Timeout | undefined

/**
 * Keeps the process alive until it is taken back, as a call does that is in the kernel: whatever the call waits for, an
 * event loop that runs empty would end the process instead.
 */
export function stayAwake(): CancelWait {
  let isWanted = true
  if (reasons++ === 0) handle = wakeNever()
  return () => {
    if (!isWanted) return
    isWanted = false
    if (--reasons === 0) clearTimeout(handle)
  }
}

function wakeNever(): NodeJS.Timeout {
  return setTimeout(() => (handle = wakeNever()), longestTimer)
}

/** The machine's time, for mocks that are used like devices. */
export const realClock: MockClock = {
  ...monotonicClock,
  touch: () => undefined,
}

/** How many turns of the event loop are spent on waiting for I/O before the process may sleep for it. */
const eagerTurns = 256

/**
 * Time that stands still until nothing else can happen, and then jumps to the next moment at which something is due. A
 * minute of firmware takes microseconds, and a run is the same every time.
 *
 * It jumps when somebody waits for it, no call of a device was made or answered during a whole turn of the event loop,
 * and the process has no request of its own in flight (files, writes to sockets, names): whoever does real I/O
 * between two calls loses no virtual time. Timers, zlib and crypto at work, and bytes that another process has yet to send
 * it cannot see: {@link hold} is for those. A request that never ends stops it. One clock serves all devices that have to
 * do with each other.
 */
export class VirtualClock implements MockClock {
  #now = 0
  #moves = 0
  #seen = -1
  #eager = 0
  #holds = 0
  readonly #waits = new WaitList()
  #armed = false

  /** Milliseconds since it was made. */
  now(): number {
    return this.#now
  }

  /** @throws TypeError or RangeError for what is no time that comes. */
  after(ms: number, then: () => void): CancelWait {
    checkDuration(ms, 'ms', this.#now)
    const wait = { at: this.#now + Math.max(0, ms), then }
    this.#waits.add(wait)
    this.touch()
    return () => this.#waits.remove(wait)
  }

  /**
   * Resolves when `ms` milliseconds have passed on this clock.
   * @throws TypeError or RangeError for what is no time that comes.
   */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>(resolve => this.after(ms, resolve))
  }

  touch(): void {
    this.#moves++
    this.#arm()
  }

  /** Time stands still until the function that is returned is called: for what this clock cannot see. */
  hold(): () => void {
    let held = true
    this.#holds++
    return () => {
      if (!held) return
      held = false
      this.#holds--
      this.touch()
    }
  }

  #arm(): void {
    if (this.#armed || this.#waits.isEmpty || this.#holds > 0) return
    this.#armed = true
    if (this.#eager <= eagerTurns) setImmediate(() => this.#look())
    else setTimeout(() => this.#look(), 1)
  }

  #look(): void {
    this.#armed = false
    if (this.#holds > 0) return
    const quiet = this.#seen === this.#moves
    this.#seen = this.#moves
    if (!quiet) this.#eager = 0
    else if (hasRequests()) this.#eager++
    else this.#jump()
    this.#arm()
  }

  /** All that is due at the next moment, in the order in which it was asked for. */
  #jump(): void {
    this.#eager = 0
    for (const { at, then } of this.#waits.takeNext()) {
      this.#now = at
      this.#moves++
      then()
    }
  }
}

/** Requests, as opposed to what is merely open: sockets, servers, timers. The names are those of Node's async resources. */
const request = /Req|WriteWrap|ShutdownWrap|ConnectWrap|SendWrap/

function hasRequests(): boolean {
  return process.getActiveResourcesInfo().some(resource => request.test(resource))
}
