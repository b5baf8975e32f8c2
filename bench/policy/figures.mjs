// SPDX-License-Identifier: Apache-2.0
// Drawings for docs/performance.md: no dependency, the same bytes for the same numbers, legible on light and dark.
import { besideNone, isForeseen, populations, quantile } from './judge.mjs'

const width = 640
const height = 360
const frame = { left: 60, right: 620, top: 20, bottom: 310 }
const colours = ['#0969da', '#bc4c00']
/** Seeds of which each run is a dot. */
const dottedSeeds = 2

/** By their file names. @param {import('./judge.mjs').Run[]} runs @returns {Record<string, string>} */
export function figures(runs) {
  const gainful = populations.gainful(runs).map(besideNone)
  const beside = populations.both(runs).map(run => run.ours.downtimeMs / run.threshold.downtimeMs)
  const first = Math.min(...runs.map(({ seed }) => seed))
  const dots = populations.ended(runs).filter(({ seed }) => seed < first + dottedSeeds)
  return {
    'stop-rule-downtime.svg': distribution([
      { name: `beside no pre-copy (${gainful.length} runs)`, values: gainful },
      { name: `beside the threshold rule (${beside.length} runs)`, values: beside },
    ]),
    'stop-rule-prediction.svg': scatter(dots),
  }
}

/** @param {{ name: string, values: number[] }[]} series */
function distribution(series) {
  const most = 1.5
  const x = (/** @type {number} */ ratio) => along(Math.min(ratio, most) / most, frame.left, frame.right)
  const y = (/** @type {number} */ part) => along(part, frame.bottom, frame.top)
  const steps = Array.from({ length: 201 }, (_, index) => index / 200)
  const curves = series.map(({ name, values }, index) => {
    const points = steps.map(part => `${round(x(quantile(values, part)))},${round(y(part))}`).join(' ')
    const label = text(frame.left + 12, frame.top + 16 + 18 * index, name, `fill="${colours[index]}"`)
    return `<polyline points="${points}" fill="none" stroke="${colours[index]}" stroke-width="2"/>${label}`
  })
  const ticks = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5].map(ratio => tickX(x(ratio), String(ratio)))
  const parts = [0, 0.25, 0.5, 0.75, 1].map(part => tickY(y(part), `${part * 100} %`))
  return svg('Downtime of a simulation, as a share of what it is without', 'downtime, ratio', [
    ...ticks,
    ...parts,
    ...curves,
  ])
}

/** @param {import('./judge.mjs').Ended[]} runs */
function scatter(runs) {
  const [least, most] = [1, 100_000]
  const part = (/** @type {number} */ ms) =>
    Math.log(Math.min(Math.max(ms, least), most) / least) / Math.log(most / least)
  const x = (/** @type {number} */ ms) => along(part(ms), frame.left, frame.right)
  const y = (/** @type {number} */ ms) => along(part(ms), frame.bottom, frame.top)
  const dots = runs.map(run => {
    const { predictedMs, downtimeMs } = run.ours
    const colour = colours[isForeseen(run) ? 0 : 1]
    return `<circle cx="${round(x(downtimeMs))}" cy="${round(y(predictedMs))}" r="2" fill="${colour}" fill-opacity="0.6"/>`
  })
  const powers = [1, 10, 100, 1000, 10_000, 100_000]
  const ticks = powers.flatMap(ms => [tickX(x(ms), String(ms)), tickY(y(ms), String(ms))])
  const same = `<line x1="${frame.left}" y1="${frame.bottom}" x2="${frame.right}" y2="${frame.top}" stroke="#8b949e"/>`
  const label = text(
    frame.left + 12,
    frame.top + 16,
    `predicted, ms; within 20 % of the actual downtime is blue`,
  )
  return svg('Predicted and actual downtime of a simulation', 'actual, ms', [...ticks, same, ...dots, label])
}

/** @param {number} part @param {number} from @param {number} to */
const along = (part, from, to) => from + (to - from) * part

const round = (/** @type {number} */ value) => Math.round(value * 10) / 10

/** @param {number} x @param {number} y @param {string} words @param {string} [how] */
const text = (x, y, words, how = 'fill="#8b949e"') =>
  `<text x="${round(x)}" y="${round(y)}" ${how}>${words}</text>`

/** @param {number} x @param {string} words */
const tickX = (x, words) =>
  `<line x1="${round(x)}" y1="${frame.top}" x2="${round(x)}" y2="${frame.bottom}" stroke="#8b949e" stroke-opacity="0.25"/>` +
  text(x, frame.bottom + 16, words, 'fill="#8b949e" text-anchor="middle"')

/** @param {number} y @param {string} words */
const tickY = (y, words) =>
  `<line x1="${frame.left}" y1="${round(y)}" x2="${frame.right}" y2="${round(y)}" stroke="#8b949e" stroke-opacity="0.25"/>` +
  text(frame.left - 6, y + 4, words, 'fill="#8b949e" text-anchor="end"')

/** @param {string} title @param {string} axis @param {string[]} parts */
function svg(title, axis, parts) {
  const middle = (frame.left + frame.right) / 2
  const caption = text(middle, height - 12, axis, 'fill="#8b949e" text-anchor="middle"')
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">`
  return `${[open, `<title>${title}</title>`, ...parts, caption, '</svg>'].join('\n')}\n`
}
