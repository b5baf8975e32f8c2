// SPDX-License-Identifier: Apache-2.0
// Formats everything, or with --check says what is not formatted: prettier, and Debian's clang-format for C and C++.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments } from './arguments.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, run, step } from './steps.mjs'

/** The C and C++ that is ours to format: kernel code keeps the kernel's own style. */
function nativeSources() {
  const files = ['native', 'test/native', 'test/contract', 'test/kernel/participant', 'bench'].flatMap(
    directory =>
      readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
        .filter(path => /\.(c|cc|h)$/.test(path))
        .map(path => join(directory, path)),
  )
  if (files.length === 0)
    throw new StepError('There is no C or C++ to format: clang-format would praise that')
  return files
}

await main(async () => {
  const { values } = readArguments('Usage: node scripts/format.mjs [--check]', {
    options: { check: { type: 'boolean', default: false } },
  })
  const { check } = values
  await setup(['clang-format'])
  const prettier = [
    'node_modules/prettier/bin/prettier.cjs',
    '--log-level',
    'warn',
    check ? '--check' : '--write',
    '.',
  ]
  await step('prettier', () => run([process.execPath, ...prettier], { cwd: ROOT }))
  const clang = ['clang-format', ...(check ? ['--dry-run', '--Werror'] : ['-i']), ...nativeSources()]
  await step('clang-format', () => run(clang, { cwd: ROOT }))
})
