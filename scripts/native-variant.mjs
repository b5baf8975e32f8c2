// SPDX-License-Identifier: Apache-2.0
// Instrumented builds of the addon, and the suite over the fake kernel that runs against them.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withLock } from './lock.mjs'
import { ROOT } from './setup.mjs'
import { run, say, step } from './steps.mjs'
import { packagesOf } from './vm/packages.mjs'

/** @typedef {'asan' | 'ubsan' | 'tsan' | 'coverage'} Variant */

/** @param {Variant} variant */
export const buildDirectory = variant => join(ROOT, `build-${variant}`)

/** The Debian packages that this machine lacks for such a build: gcc brings the sanitizers' libraries. */
export const variantPackages = () =>
  packagesOf([
    ['cmake', 'cmake'],
    ['make', 'make'],
    ['g++', 'g++'],
    ['gcc', 'gcc'],
    ['gcov', 'gcc'],
  ])

/** Build, run, count: another run would take the reports of this one. @template T @param {Variant} variant @param {() => Promise<T>} body */
export const withVariant = (variant, body) => withLock(buildDirectory(variant), body)

/** Up to date in a second when nothing changed. @param {Variant} variant @returns {Promise<string>} the addon's path */
export async function buildVariant(variant) {
  const directory = buildDirectory(variant)
  mkdirSync(directory, { recursive: true })
  const cmakeJs = join(ROOT, 'node_modules/cmake-js/bin/cmake-js')
  const command = [process.execPath, cmakeJs, 'compile', '--out', directory, `--CDVARIANT=${variant}`]
  await step(`compile the addon for ${variant}`, () =>
    run(command, { cwd: ROOT, log: join(directory, 'build.log') }),
  )
  return join(directory, 'Release/vfio_migrate.node')
}

/** @returns {Promise<typeof import('../dist-test/native/suite.js')>} after setup() */
export const loadSuite = () => import(pathToFileURL(join(ROOT, 'dist-test/native/suite.js')).href)

/** @returns {Promise<typeof import('../dist-test/native/stress/run.js')>} after setup() */
export const loadStress = () => import(pathToFileURL(join(ROOT, 'dist-test/native/stress/run.js')).href)

/**
 * Says what failed, and how the process ended where that was not well.
 * @param {import('../dist-test/native/suite.js').Run} run
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function report({ results, skipped, status, stderr }) {
  const failures = results.filter(result => result.error !== undefined)
  for (const { title, error } of failures) say(`  ✘ ${title}\n${error}`)
  const ended = status === 0 || status === failures.length
  if (!ended) say(`  the suite ended with ${status} after "${results.at(-1)?.title}"\n${stderr.slice(-4000)}`)
  return { passed: results.length - failures.length, failed: failures.length + (ended ? 0 : 1), skipped }
}
