// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process'

/** Asks one of the system's tools for JSON; undefined where it is missing, fails, takes too long or answers something else. */
export type AskTool = (tool: 'devlink' | 'ip', args: readonly string[]) => Promise<unknown>

const timeLimitMs = 2000
const largestAnswerBytes = 16 * 1024 * 1024

/** Runs the tool itself, found by PATH, without a shell. */
export const askTool: AskTool = (tool, args) =>
  new Promise(resolve => {
    const options = { timeout: timeLimitMs, killSignal: 'SIGKILL', maxBuffer: largestAnswerBytes } as const
    execFile(tool, ['-j', ...args], options, (error, stdout) => resolve(error ? undefined : parsed(stdout)))
  })

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The value behind `keys` in what a tool answered; undefined where there is none. */
export function within(answer: unknown, ...keys: readonly (string | number)[]): unknown {
  return keys.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined,
    answer,
  )
}

/** A string or a number of an answer, as text. */
export function textWithin(answer: unknown, ...keys: readonly (string | number)[]): string | undefined {
  const value = within(answer, ...keys)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}
