// SPDX-License-Identifier: Apache-2.0
// Runs in the guest: ROUNDS SERIES... measures these, and answers an object with them on its standard output.
import { series } from './series.mjs'

const [rounds, ...names] = process.argv.slice(2)
/** @type {Record<string, import('./series.mjs').Rounds>} */
const results = {}
for (const name of names) {
  process.stderr.write(`  ${name}\n`)
  results[name] = await series[name](Number(rounds))
}
process.stdout.write(`${JSON.stringify(results)}\n`)
