// SPDX-License-Identifier: Apache-2.0
// npm run contract -- --list: the rules of test/contract with the evidence that each names. Without --list: how many there are.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readArguments } from './arguments.mjs'
import { ROOT, setup } from './setup.mjs'
import { main } from './steps.mjs'

const compiled = (/** @type {string} */ path) => pathToFileURL(join(ROOT, 'dist-test/contract', path)).href

await main(async () => {
  const { values } = readArguments('Usage: npm run contract -- [--list]', {
    options: { list: { type: 'boolean', default: false } },
  })
  await setup()
  /** @type {typeof import('../dist-test/contract/rules/index.js')} */
  const { rules } = await import(compiled('rules/index.js'))
  /** @type {typeof import('../dist-test/contract/evidence.js')} */
  const { counts, listing } = await import(compiled('evidence.js'))
  if (values.list) console.log(listing(rules))
  console.log(counts(rules))
})
