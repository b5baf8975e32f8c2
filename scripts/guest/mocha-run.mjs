// SPDX-License-Identifier: Apache-2.0
// Runs in the guest: all tests in one Mocha and one process, because starting Node takes seconds there.
import '../mocha-rejections.mjs'
import Mocha from 'mocha'
import CountingReporter from '../mocha-reporter.mjs'

/**
 * @param {Record<string, () => Promise<unknown>>} files what loads each test file, by its name
 * @returns {Promise<void>} never: the process ends with the number of failures in mind
 */
export async function runTests(files) {
  const { VFIO_MIGRATE_GREP: grep, FORCE_COLOR } = process.env
  const mocha = new Mocha({
    reporter: CountingReporter,
    // Against a test that hangs: emulated, on a slow machine, some take minutes.
    timeout: 300_000,
    color: FORCE_COLOR === '1',
    ...(grep && { grep }),
  })
  for (const [name, load] of Object.entries(files)) {
    mocha.suite.emit('pre-require', globalThis, name, mocha)
    await load()
  }
  mocha.run(failures => process.exit(failures ? 1 : 0))
}
