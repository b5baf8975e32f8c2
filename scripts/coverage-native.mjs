// SPDX-License-Identifier: Apache-2.0
// Line coverage of native/ by the tests over the fake kernel: per file and in all. Fails under FLOOR.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import {
  buildDirectory,
  buildVariant,
  loadSuite,
  report,
  variantPackages,
  withVariant,
} from './native-variant.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, say, step } from './steps.mjs'

/** Percent of the lines that have code. */
const FLOOR = 90

const counters = () =>
  readdirSync(buildDirectory('coverage'), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.gcda'))
    .map(path => join(buildDirectory('coverage'), path))

/** @typedef {{ files: { file: string, lines: { line_number: number, count: number }[] }[] }} Gcov */

/** @returns {Gcov[]} one for each object that ran */
function gcov() {
  const found = spawnSync('gcov', ['--json-format', '--stdout', ...counters()], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (found.status !== 0) throw new StepError(`gcov failed: ${found.error ?? found.stderr}`)
  return found.stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

/** A header's line counts as covered when any object ran it. @returns {Map<string, Map<number, number>>} */
function linesByFile() {
  const all = new Map()
  for (const { file, lines } of gcov().flatMap(object => object.files)) {
    const path = relative(ROOT, join(ROOT, relative(ROOT, file)))
    if (!path.startsWith('native/')) continue
    const counts = all.get(path) ?? new Map()
    for (const { line_number: line, count } of lines) counts.set(line, (counts.get(line) ?? 0) + count)
    all.set(path, counts)
  }
  return all
}

/** What is not there would count as nothing, and so as well covered. @param {Map<string, Map<number, number>>} files */
function requireAll(files) {
  const sources = readFileSync(join(ROOT, 'native/sources.txt'), 'utf8').split(/\s+/).filter(Boolean)
  const absent = sources.filter(path => !files.get(path)?.size)
  if (sources.length === 0 || absent.length > 0)
    throw new StepError(`gcov says nothing about ${absent.join(' ') || 'no source at all'}`)
  return files
}

/** `3-5, 9`. @param {number[]} lines */
function ranges(lines) {
  /** @type {[number, number][]} */
  const found = []
  for (const line of lines) {
    const last = found.at(-1)
    if (last && line === last[1] + 1) last[1] = line
    else found.push([line, line])
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')
}

/** @param {number} covered @param {number} total */
const percent = (covered, total) => (total === 0 ? 100 : (covered / total) * 100)

/** @param {Map<string, Map<number, number>>} files @returns {number} percent in all */
function print(files) {
  let [covered, total] = [0, 0]
  for (const [path, counts] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const missed = [...counts]
      .filter(([, count]) => count === 0)
      .map(([line]) => line)
      .sort((a, b) => a - b)
    const share = percent(counts.size - missed.length, counts.size)
      .toFixed(1)
      .padStart(5)
    console.log(`${share} %  ${path}${missed.length > 0 ? `  not run: ${ranges(missed)}` : ''}`)
    covered += counts.size - missed.length
    total += counts.size
  }
  console.log(`${percent(covered, total).toFixed(1).padStart(5)} %  in all: ${covered} of ${total} lines`)
  return percent(covered, total)
}

async function measure() {
  const addon = await buildVariant('coverage')
  const { runPreloaded } = await loadSuite()
  for (const path of counters()) rmSync(path)
  const run = await step('run the suite over the fake kernel', () =>
    runPreloaded({ env: { VFIO_MIGRATE_ADDON: addon }, slowness: 2 }),
  )
  const { passed, failed } = report(run)
  say(`  ${passed} passed, ${failed} failed`)
  const share = print(requireAll(linesByFile()))
  if (share < FLOOR) say(`Less than ${FLOOR} % of native/ ran.`)
  return failed > 0 || share < FLOOR ? 1 : 0
}

await main(async () => {
  await setup(variantPackages())
  return withVariant('coverage', measure)
})
