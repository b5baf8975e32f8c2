// SPDX-License-Identifier: Apache-2.0
// npm test: everything that needs no virtual machine and no hardware. Arguments go to Mocha.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runMocha } from './mocha.mjs'
import { ROOT, setup } from './setup.mjs'
import { main } from './steps.mjs'

/** They need a real kernel device: `npm run test:kernel` boots one. */
const ELSEWHERE = ['kernel', 'hardware']

await main(async () => {
  await setup()
  const compiled = join(ROOT, 'dist-test')
  const areas = readdirSync(compiled, { withFileTypes: true }).filter(
    entry => entry.isDirectory() && !ELSEWHERE.includes(entry.name),
  )
  const patterns = areas.map(area => `dist-test/${area.name}/**/*.test.js`)
  const files = patterns.filter(pattern => hasTests(join(compiled, pattern.split('/')[1] ?? '')))
  return runMocha('test', [...files, ...process.argv.slice(2)])
})

/** Mocha calls a pattern without a file an error. @param {string} directory */
function hasTests(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).some(path => path.endsWith('.test.js'))
}
