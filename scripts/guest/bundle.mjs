// SPDX-License-Identifier: Apache-2.0
// One file for the guest: there, each module that Node looks up costs a walk over the shared root.
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../setup.mjs'

/** CommonJS packages inside of an ES module still call `require`. */
const REQUIRE = `import { createRequire as createRequireForBundle } from 'node:module'
const require = createRequireForBundle(import.meta.url)`

/**
 * @param {{ entry: string } | { code: string }} input
 * @param {string} name
 * @returns {Promise<string>} the bundle's path; as deep in the tree as dist/backend, from where the addon is found
 */
export async function bundle(input, name) {
  const { build } = await import('esbuild')
  const outfile = join(ROOT, 'build/guest', name)
  const source =
    'code' in input ? { stdin: { contents: input.code, resolveDir: ROOT } } : { entryPoints: [input.entry] }
  // Renamed into place: another run may be starting its guest with the file of this name.
  const fresh = `${outfile}.${process.pid}`
  await build({
    ...source,
    outfile: fresh,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    external: ['node-gyp-build'],
    banner: { js: REQUIRE },
    logLevel: 'warning',
  })
  renameSync(fresh, outfile)
  return outfile
}
