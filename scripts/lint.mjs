// SPDX-License-Identifier: Apache-2.0
// What a reviewer should not have to look for: eslint over everything, and the addon's symbols against its floors.
import { ROOT, setup } from './setup.mjs'
import { main, run, step } from './steps.mjs'

await main(async () => {
  await setup()
  await step('eslint', () => run([process.execPath, 'node_modules/eslint/bin/eslint.js', '.'], { cwd: ROOT }))
  await step('symbols of the addon', () =>
    run([process.execPath, 'scripts/check-symbols.mjs'], { cwd: ROOT }),
  )
})
