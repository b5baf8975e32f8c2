// SPDX-License-Identifier: Apache-2.0
// Fails when the addon asks for a symbol newer than the oldest systems that we promise to run on:
//   node scripts/check-symbols.mjs [FILE.node...]
import { execFileSync } from 'node:child_process'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The newest version of each library's symbols that may be asked for. A library that is not here may not be. */
const FLOORS = new Map([
  ['GLIBC', '2.34'],
  ['GLIBCXX', '3.4.29'],
  ['CXXABI', '1.3.13'],
  ['GCC', '3.4'],
])

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUILT = fileURLToPath(new URL('../build/Release/vfio_migrate.node', import.meta.url))

/** @param {string} left @param {string} right */
function isNewer(left, right) {
  const [a, b] = [left, right].map(version => version.split('.').map(Number))
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0)
  }
  return false
}

/** The undefined symbols that carry a version, from lines like `… UND pthread_create@GLIBC_2.34 (2)`.
 * @param {string} file */
function wantedSymbols(file) {
  const table = execFileSync('readelf', ['--wide', '--dyn-syms', file], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  const wanted = table.matchAll(/ UND ([^\s@]+)@+([A-Z]+)_([\d.]+)/g)
  return [...wanted].map(([, symbol, library, version]) => ({ symbol, library, version }))
}

/** @param {string} file */
function checkFile(file) {
  const wanted = wantedSymbols(file)
  if (wanted.length === 0) return [`${file}: no versioned symbol: is this a shared object for glibc?`]
  return wanted
    .filter(({ library, version }) => {
      const floor = FLOORS.get(library)
      return floor === undefined || isNewer(version, floor)
    })
    .map(({ symbol, library, version }) => {
      const floor = FLOORS.get(library)
      const limit =
        floor === undefined ? 'which is not promised anywhere' : `above the floor ${library}_${floor}`
      return `${relative(ROOT, file)}: ${symbol} needs ${library}_${version}, ${limit}`
    })
}

const files = process.argv.slice(2)
const mistakes = (files.length > 0 ? files : [BUILT]).flatMap(checkFile)
for (const mistake of mistakes) console.error(mistake)
process.exitCode = mistakes.length > 0 ? 1 : 0
