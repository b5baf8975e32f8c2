// SPDX-License-Identifier: Apache-2.0
import type { CauseOutput } from './schemas/cause.ts'

/** An error as JSON has it. */
export function causeOutput(error: unknown): CauseOutput {
  const { errno, request } = error as { errno?: unknown; request?: unknown }
  return {
    code: codeOf(error),
    message: messageOf(error),
    errno: typeof errno === 'number' ? errno : undefined,
    request: typeof request === 'string' ? request : undefined,
  }
}

/** By what a program tells it. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'ERR_UNKNOWN'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** What a person is told of it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
