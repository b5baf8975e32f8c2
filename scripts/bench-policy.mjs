// SPDX-License-Identifier: Apache-2.0
// npm run bench:policy: the stop rule beside two others, in a simulation on virtual time.
import { join } from 'node:path'
import { sentence } from '../bench/row.mjs'
import { USAGE_ERROR, readArguments, wholeNumbers } from './arguments.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, say, step } from './steps.mjs'
import { rewriteDocument, write, writeFormatted } from './written.mjs'

const WHOLE = { workloads: '200', seeds: '32' }
const USAGE = `Usage: npm run bench:policy [-- options]
  --workloads N      of each of the two families (${WHOLE.workloads})
  --seeds N          for each of them (${WHOLE.seeds})
The whole writes bench/results/policy.json, its section of docs/performance.md and the figures in it; a smaller run only
says its rows. The exit status is 1 where something that is required is not met.`

const RESULTS = join(ROOT, 'bench/results/policy.json')
const DOCUMENT = join(ROOT, 'docs/performance.md')
const FIGURES = join(ROOT, 'docs/performance')

/** Families of workloads and their first seeds: the rule was tuned on one of them, among others, and not on the other. */
const FAMILIES = { tuning: { family: 1, seed: 0 }, final: { family: 4, seed: 2000 } }

function choose() {
  const { values } = readArguments(USAGE, {
    options: {
      workloads: { type: 'string', default: WHOLE.workloads },
      seeds: { type: 'string', default: WHOLE.seeds },
    },
  })
  const [workloads = 0, seeds = 0] = wholeNumbers(USAGE, values)
  if (workloads === 0 || seeds === 0)
    throw new StepError(`There is nothing to judge without a run\n${USAGE}`, USAGE_ERROR)
  const isWhole = String(workloads) === WHOLE.workloads && String(seeds) === WHOLE.seeds
  return { workloads, seeds, isWhole }
}

/** @param {{ family: number, seed: number }} of @param {{ workloads: number, seeds: number }} size */
async function compete({ family, seed }, size) {
  const { compete: run } = await import('../bench/policy/judge.mjs')
  const { workloads } = await import('../bench/policy/workloads.mjs')
  const runs = []
  for (const workload of workloads(family, size.workloads)) {
    for (let next = seed; next < seed + size.seeds; next++) runs.push(await run(workload, next))
  }
  return runs
}

/** @param {{ family: number }} of @param {{ workloads: number, seeds: number }} size @param {import('../bench/policy/judge.mjs').Run[]} runs */
async function judged({ family }, { workloads, seeds }, runs) {
  const { judge } = await import('../bench/policy/judge.mjs')
  const { details, turnedBack } = await import('../bench/policy/section.mjs')
  return { family, workloads, seeds, rows: judge(runs), details: details(runs), turnedBack: turnedBack(runs) }
}

/** @param {import('../bench/policy/section.mjs').Results} results @param {import('../bench/policy/judge.mjs').Run[]} runs */
async function keep(results, runs) {
  const { figures } = await import('../bench/policy/figures.mjs')
  const { withPolicy } = await import('../bench/policy/section.mjs')
  for (const [name, text] of Object.entries(figures(runs))) write(join(FIGURES, name), text)
  await writeFormatted(RESULTS, JSON.stringify(results, fourDigits))
  await rewriteDocument(DOCUMENT, text => withPolicy(text, results))
}

/** What is behind the fourth digit says nothing. @param {string} _ @param {unknown} value */
function fourDigits(_, value) {
  return typeof value === 'number' ? Math.round(value * 10_000) / 10_000 : value
}

/** @param {import('../bench/policy/section.mjs').Results['rows'][number]} row */
const figure = ({ ratio, runs, whileTuning }) =>
  `${ratio.toFixed(4)} (${runs} runs; while tuning ${whileTuning.toFixed(4)})`

await main(async () => {
  const size = choose()
  await setup()
  const tuned = await step('the family that the rule was tuned on', () => compete(FAMILIES.tuning, size))
  const runs = await step('the family that it was not tuned on', () => compete(FAMILIES.final, size))
  const tuning = await judged(FAMILIES.tuning, size, tuned)
  const final = await judged(FAMILIES.final, size, runs)
  const { together } = await import('../bench/policy/judge.mjs')
  const rows = together(final.rows, tuning.rows)
  for (const row of rows) say(sentence(row, figure(row)))
  if (size.isWhole) await keep({ simulation: true, rows, final, tuning }, runs)
  return rows.every(({ met }) => met) ? 0 : 1
})
