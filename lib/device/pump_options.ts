// SPDX-License-Identifier: Apache-2.0
import type { Pause } from './saving_stream.ts'

/** How far, and how fast, bytes go between a device and an fd. */
export interface PumpOptions {
  /** Stops after so many bytes; without it, at no number. */
  readonly maxBytes?: number
  /** Moves no more a second; without it, whatever the two take. */
  readonly bytesPerSecond?: number
  /** Stops wherever it is, and rejects with an AbortError: nothing is lost, and another may go on there. */
  readonly signal?: AbortSignal
}

export interface SavingPumpOptions extends PumpOptions {
  /** `'idle'` stops where the device has nothing now; `'end'`, as without it, waits for more until there is none. */
  readonly until?: Pause
}

/** What went through, and where it stopped: `'limit'` is `maxBytes`. */
export interface Pumped<Stop extends Pause | 'limit'> {
  readonly bytes: number
  readonly pause: Stop
}

/** @throws TypeError or RangeError that names what is wrong. @internal */
export function checkPump(fd: unknown, options: unknown): void {
  checkWhole('fd', fd, 0, 2 ** 31 - 1)
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, not ${options === null ? 'null' : typeof options}`)
  const given = options as Readonly<Record<keyof PumpOptions, unknown>>
  for (const name of ['maxBytes', 'bytesPerSecond'] as const) {
    if (given[name] !== undefined) checkWhole(name, given[name], 1, Number.MAX_SAFE_INTEGER)
  }
  if (given.signal !== undefined && !(given.signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal')
}

/** @throws TypeError for what is no pause. @internal */
export function checkPause(until: unknown): void {
  if (until !== undefined && until !== 'idle' && until !== 'end')
    throw new TypeError(`until must be 'idle' or 'end', not ${JSON.stringify(until)}`)
}

/** @throws TypeError where chunks would come as text. @internal */
export function checkEncoding(encoding: BufferEncoding | null): void {
  if (encoding !== null)
    throw new TypeError(
      `the saving stream has an encoding ('${encoding}'), and a state is no text: do not set one`,
    )
}

function checkWhole(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${typeof value}`)
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`)
}
