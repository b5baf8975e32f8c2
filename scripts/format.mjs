// SPDX-License-Identifier: Apache-2.0
// Formats everything, or with --check says what is not formatted: prettier, and Debian's clang-format for C and C++.
import { spawnSync } from 'node:child_process'
import { ROOT, setup } from './setup.mjs'
import { main, run, step } from './steps.mjs'
import { ensurePackages } from './vm/packages.mjs'

const check = process.argv.includes('--check')

/** The C and C++ that is ours to format: kernel code keeps the kernel's own style. */
function nativeSources() {
  const files = spawnSync('git', ['ls-files', '-co', '--exclude-standard', 'native', 'test/native'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return files.stdout.split('\n').filter(path => /\.(c|cc|h)$/.test(path))
}

await main(async () => {
  await setup()
  const prettier = [
    'node_modules/prettier/bin/prettier.cjs',
    '--log-level',
    'warn',
    check ? '--check' : '--write',
    '.',
  ]
  await step('prettier', () => run([process.execPath, ...prettier], { cwd: ROOT }))
  await ensurePackages(['clang-format'])
  const clang = ['clang-format', ...(check ? ['--dry-run', '--Werror'] : ['-i']), ...nativeSources()]
  await step('clang-format', () => run(clang, { cwd: ROOT }))
})
