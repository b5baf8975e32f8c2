// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { phases } from '#lib/migration/phases.js'
import { faultPoints, flavourNames, resolveOptions } from 'vfio-migrate/mock'
import { linesWith } from './page.js'
import { statuses } from './statuses.js'
import { tally } from './suite.js'

/** An arc that no migration makes: it gives pre-copy up altogether, or stops. */
const neverMade = 'PRE_COPY_P2P->PRE_COPY'

/** The fewest cases of a run of all files. */
const everything = 12_000

const files = readdirSync(new URL('.', import.meta.url)).filter(name =>
  /(?<!one_case|whole)\.test\.js$/.test(name),
)

const pointsOfAll = flavourNames.flatMap(flavour => {
  const points = faultPoints({ flavour, capabilities: resolveOptions({ flavour }).capabilities })
  return Object.entries(points)
    .filter(([on]) => on !== neverMade)
    .map(([on, rule]) => ({ flavour, on, rule }))
})

/** Whether somebody has chosen all of its tests. */
function hasRun(suite: Mocha.Suite): boolean {
  let isWhole = true
  suite.eachTest(({ state }) => (isWhole &&= state !== undefined))
  return isWhole
}

describe('the matrix as a whole', () => {
  before(function () {
    const suites = this.test?.parent?.parent?.suites ?? []
    // Of some of them alone nothing can be asked.
    if (!files.every(name => suites.some(suite => basename(suite.file ?? '') === name && hasRun(suite))))
      this.skip()
    assert.ok(tally.cases >= everything, `${tally.cases} cases`)
  })

  // Told, and not asked for: how fast a processor is says nothing of what is tested here.
  after(() => {
    const { user, system } = process.cpuUsage(tally.begunWith)
    const seconds = Math.round((user + system) / 1e6)
    const { cases, missed } = tally
    console.log(`        ${cases} cases, ${missed} that nobody came to, in ${seconds} s of a processor`)
  })

  it('has met every row of docs/recovery.md', () => {
    const rows = linesWith('id', 'outcome').map(({ id = '' }) => id)
    assert.ok(rows.length > 50)
    assert.deepEqual(
      rows.filter(id => !tally.rows.has(id)),
      [],
    )
  })

  it('has met every point at which a device of each flavour can fail', () => {
    const met = (flavour: string, on: string): boolean =>
      ['source', 'destination'].some(side => tally.met.has(`${flavour} ${side} ${on}`))
    const missing = pointsOfAll.filter(({ flavour, on }) => !met(flavour, on))
    assert.deepEqual(
      missing.map(({ flavour, on }) => `${flavour} ${on}`),
      [],
    )
  })

  it('has met every errno that each of them can fail by', () => {
    const all = pointsOfAll.flatMap(({ flavour, on, rule }) =>
      (rule.errno ?? []).map(errno => `${flavour} ${on} ${errno}`),
    )
    assert.deepEqual(
      all.filter(one => !tally.met.has(one)),
      [],
    )
  })

  it('has met every status that a command of mlx5 can end with', () => {
    const commands = pointsOfAll.filter(({ flavour, rule }) => flavour === 'mlx5' && rule.status)
    const all = commands.flatMap(({ on }) => statuses.map(status => `mlx5 ${on} status ${status}`))
    assert.ok(statuses.length > 15)
    assert.deepEqual(
      all.filter(one => !tally.met.has(one)),
      [],
    )
  })

  for (const deed of ['signal', 'onProgress throws', 'reset source', 'reset destination']) {
    it(`has met '${deed}' in every phase`, () => {
      assert.deepEqual(
        phases.filter(phase => !tally.met.has(`${deed} ${phase}`)),
        [],
      )
    })
  }
})
