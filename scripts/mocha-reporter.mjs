// SPDX-License-Identifier: Apache-2.0
// Mocha's spec reporter, which also writes the counts down (VFIO_MIGRATE_COUNTS names the file), and says why a test failed
// at once: a run that hangs behind it never comes to its end.
import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

const { EVENT_RUN_END, EVENT_TEST_FAIL } = Mocha.Runner.constants

/** Of what an error says, which is told whole at the end of the run. */
const mostLines = 4

export default class CountingReporter extends Mocha.reporters.Spec {
  /** @param {import('mocha').Runner} runner @param {import('mocha').MochaOptions} options */
  constructor(runner, options) {
    super(runner, options)
    runner.on(EVENT_TEST_FAIL, (_, /** @type {unknown} */ error) => {
      const lines = String(error).split('\n').filter(Boolean)
      for (const line of lines.slice(0, mostLines)) console.log(`      ${line}`)
    })
    runner.once(EVENT_RUN_END, () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      const file = process.env.VFIO_MIGRATE_COUNTS
      if (file) writeFileSync(file, JSON.stringify({ passed, failed, skipped, total: runner.total }))
    })
  }
}
