// SPDX-License-Identifier: Apache-2.0
// Mocha's spec reporter, which also writes the counts down: VFIO_MIGRATE_COUNTS names the file.
import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

const { EVENT_RUN_END } = Mocha.Runner.constants

export default class CountingReporter extends Mocha.reporters.Spec {
  /** @param {import('mocha').Runner} runner @param {import('mocha').MochaOptions} options */
  constructor(runner, options) {
    super(runner, options)
    runner.once(EVENT_RUN_END, () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      const file = process.env.VFIO_MIGRATE_COUNTS
      if (file) writeFileSync(file, JSON.stringify({ passed, failed, skipped, total: runner.total }))
    })
  }
}
