// SPDX-License-Identifier: Apache-2.0
// A script's arguments. What it does not understand ends it with its usage and status 2, before it has done anything.
import { parseArgs } from 'node:util'
import { StepError } from './steps.mjs'

export const USAGE_ERROR = 2

/**
 * @template {import('node:util').ParseArgsConfig} Config
 * @param {string} usage
 * @param {Config} config
 * @returns {ReturnType<typeof parseArgs<Config>>}
 */
export function readArguments(usage, config) {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new StepError(`${/** @type {Error} */ (error).message}\n${usage}`, USAGE_ERROR)
  }
}

/** @param {string} usage @param {Record<string, string>} values by the names of their options @returns {number[]} */
export function wholeNumbers(usage, values) {
  return Object.entries(values).map(([option, value]) => {
    if (/^\d{1,9}$/.test(value)) return Number(value)
    throw new StepError(`--${option} takes a whole number, not '${value}'\n${usage}`, USAGE_ERROR)
  })
}
