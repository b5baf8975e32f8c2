// SPDX-License-Identifier: Apache-2.0
// The sections of docs/performance.md: each belongs to one benchmark, which writes it anew.

/**
 * @param {string} text the document's
 * @param {string} heading of the section, `## …`
 * @param {string} body what belongs under it
 * @returns {string} the document with this section anew, at its end where it had none
 */
export function withSection(text, heading, body) {
  const section = `${heading}\n\n${body}`
  const begin = text.indexOf(`${heading}\n`)
  if (begin < 0) return `${text.trimEnd()}\n\n${section}`
  const next = text.indexOf('\n## ', begin)
  return `${text.slice(0, begin)}${section}${next < 0 ? '' : text.slice(next)}`
}

/** @param {string[][]} rows the first is the head */
export const table = ([head = [], ...rows]) =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
