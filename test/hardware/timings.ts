// SPDX-License-Identifier: Apache-2.0
import type { DeviceCalls } from '#lib/backend/seam.js'
import { stateNumbers, states } from '../contract/numbers.ts'

/** Milliseconds of every SET that succeeded, by the state that it led to, and of every reset. */
export type Timings = Map<string, number[]>

function note(timings: Timings, name: string, ms: number): void {
  timings.set(name, [...(timings.get(name) ?? []), ms])
}

/** The same calls, with a watch beside them. */
export function timed(calls: DeviceCalls, timings: Timings): DeviceCalls {
  const setStates: DeviceCalls['setStates'] = async path => {
    const answer = await calls.setStates(path)
    const { times, done } = answer
    for (let index = 0; index < done; index++) {
      const name = states.find(state => stateNumbers[state] === path[index]) ?? 'a state'
      note(timings, `SET ${name}`, (times[index + 1] ?? NaN) - (times[index] ?? NaN))
    }
    return answer
  }
  const reset: DeviceCalls['reset'] = async () => {
    const before = performance.now()
    const answer = await calls.reset()
    note(timings, 'reset', performance.now() - before)
    return answer
  }
  return new Proxy(calls, {
    get(target, key) {
      if (key === 'setStates') return setStates
      if (key === 'reset') return reset
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

const digits = (ms: number): string => ms.toFixed(3).padStart(11)

/** A line for each: how often, the median, the longest. */
export function timingLines(timings: Timings): string[] {
  return [...timings].sort(([one], [other]) => one.localeCompare(other)).map(([name, all]) => {
    const sorted = [...all].sort((a, b) => a - b)
    const median = sorted[Math.floor(sorted.length / 2)] ?? NaN
    const count = String(all.length).padStart(5)
    return `${name.padEnd(18)} ${count} times, median ${digits(median)} ms, longest ${digits(sorted.at(-1) ?? NaN)} ms`
  }) // prettier-ignore
}
