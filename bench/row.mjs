// SPDX-License-Identifier: Apache-2.0
// What every benchmark comes to: rows, each one ratio and what it has to be.

/**
 * @typedef {object} Row
 * @property {string} name what was measured
 * @property {string} against what it is measured by
 * @property {number} ratio
 * @property {number} required
 * @property {boolean} atLeast whether the ratio has to be at least what is required, or at most
 * @property {boolean | null} met null where the machine was too noisy to say
 */

/** @param {Pick<Row, 'ratio' | 'required' | 'atLeast'>} row */
export const isMet = ({ ratio, required, atLeast }) => (atLeast ? ratio >= required : ratio <= required)

/** @param {Pick<Row, 'required' | 'atLeast'>} row */
export const requirement = ({ required, atLeast }) => `${atLeast ? 'at least' : 'at most'} ${required}`

/** @param {Pick<Row, 'met'>} row */
export const metCell = ({ met }) => (met === null ? 'too noisy' : met ? 'yes' : '**no**')

/** One line for who watches. @param {Row} row @param {string} [figure] the ratio in words */
export function sentence(row, figure = row.ratio.toFixed(3)) {
  const verdict = row.met === null ? 'noisy  ' : row.met ? 'met    ' : 'NOT met'
  return `${verdict} ${row.name}: ${figure} of ${row.against}, ${requirement(row)}`
}
