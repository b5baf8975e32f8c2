// SPDX-License-Identifier: Apache-2.0
// npm run test:kernel: the tests that need a real kernel device, on each kernel in a virtual machine.
// A test that provokes a kernel warning announces it first: `EXPECT-KERNEL-WARNING <part of its line>` into /dev/kmsg.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments, wholeNumbers } from './arguments.mjs'
import { bundle } from './guest/bundle.mjs'
import { guestEnvironment } from './guest/environment.mjs'
import { recordCounts, runMocha } from './mocha.mjs'
import { ROOT, setup } from './setup.mjs'
import { StepError, main, say, seconds, tail } from './steps.mjs'
import { temporaryDirectory } from './temporary.mjs'
import { runInGuest } from './vm/guest.mjs'
import { KERNELS, ensureKernel, guestPackages } from './vm/kernel.mjs'

const USAGE = `Usage: npm run test:kernel -- [options]
  --kernel NAME      6.12, newest, or the path of one; may be given more than once (6.12 and newest)
  --grep TEXT        only tests whose name has it, a regular expression
  --vfs N            2: virtual functions of each physical one
  --timeout SECONDS  600: so long without a word the guest is taken to hang; each test has half of that at the most`

const COMPILED = join(ROOT, 'dist-test/kernel')

/** @typedef {{ grep?: string, vfs: number, timeoutSeconds: number }} Choice */

/**
 * The machines that the tests run in, and the folder of test/kernel with the tests of each: one boot a kernel each.
 * @typedef {{ title: string, directory: string, program: string, iommu: 'remapping' | 'no-remapping', pfs: number, memory: number }} Machine
 * @type {readonly Machine[]}
 */
const MACHINES = [
  { title: '', directory: '.', program: 'tests.mjs', iommu: 'remapping', pfs: 2, memory: 2048 },
  {
    title: ', without interrupt remapping',
    directory: 'no-intremap',
    program: 'tests-no-intremap.mjs',
    iommu: 'no-remapping',
    pfs: 1,
    memory: 2048,
  },
]

/** @param {string} directory */
function testsIn(directory) {
  const entries = existsSync(directory) ? readdirSync(directory) : []
  return entries.filter(name => name.endsWith('.test.js')).map(name => join(directory, name))
}

/** @param {string[]} files @returns {string} a program that runs them all */
function entry(files) {
  const loaders = files.map(file => `  ${JSON.stringify(file)}: () => import(${JSON.stringify(file)}),\n`)
  return `import { runTests } from './scripts/guest/mocha-run.mjs'\nawait runTests({\n${loaders.join('')}})\n`
}

/**
 * @param {import('./vm/kernel.mjs').Kernel} kernel
 * @param {Machine & { bundle: string }} machine
 * @param {Choice} choice
 * @returns {Promise<number>} the exit status
 */
async function runOn(kernel, { title, bundle, iommu, pfs, memory }, { grep, vfs, timeoutSeconds }) {
  const since = performance.now()
  const name = `Linux ${kernel.release ?? kernel.image}${title}`
  const results = temporaryDirectory('results')
  const counts = join(results, 'counts.json')
  say(`\n${name}`)
  try {
    const env = {
      ...(await guestEnvironment(kernel)),
      VFIO_MIGRATE_COUNTS: counts,
      ...(grep && { VFIO_MIGRATE_GREP: grep }),
    }
    const command = [process.execPath, '--enable-source-maps', bundle]
    const machine = { memory, vfs, pfs, iommu }
    const guest = await runTwiceIfLost({
      kernel,
      command,
      env,
      ...machine,
      timeoutSeconds,
      timeoutOf: 'silence',
      writable: [results],
    })
    const suite = `kernel ${kernel.release}${title}`
    const ended = guest.warnings.length > 0 ? 1 : guest.status
    const status = recordCounts(suite, counts, ended, { isFiltered: grep !== undefined })
    explain(guest)
    say(`${name}: ${status === 0 ? 'passed' : `failed (${guest.status})`}, ${seconds(since)}`)
    return status
  } finally {
    rmSync(results, { recursive: true, force: true })
  }
}

/**
 * QEMU before 8.2 has a race between CPUs: one of them changes the map of the memory, by a BAR of a function that is reset,
 * while the other one writes to a register that it finds by the old map. That crash tells nothing of what was tested.
 * @param {import('./vm/guest.mjs').GuestOptions} options
 */
async function runTwiceIfLost(options) {
  const guest = await runInGuest(options)
  // What its kernel had complained of by then stands.
  if (guest.ending !== 'lost its emulator' || guest.warnings.length > 0) return guest
  say(`QEMU crashed (the console: ${guest.consoleLog}), so that nothing is known of these tests. Once more:`)
  return await runInGuest(options)
}

/** @param {import('./vm/guest.mjs').GuestResult} guest */
function explain({ ending, warnings, consoleLog }) {
  if (ending !== 'exited')
    say(`The guest ${ending}. The end of its console (all of it: ${consoleLog}):\n${tail(consoleLog, 40)}`)
  if (warnings.length === 0) return
  say(`The kernel complained, and no test had announced it (the console: ${consoleLog}):`)
  for (const line of warnings) say(`  ${line}`)
}

/** Tests on this machine that compare the kernels: they need all. @param {import('./vm/kernel.mjs').Kernel[]} kernels @param {Choice} choice */
async function runHostTests(kernels, { grep }) {
  const files = testsIn(join(COMPILED, 'host'))
  const built = kernels.filter(kernel => kernel.tree)
  if (files.length === 0 || built.length < KERNELS.length) return 0
  const env = {
    VFIO_MIGRATE_KERNEL_HEADERS: built.map(kernel => kernel.headers).join(':'),
    VFIO_MIGRATE_KERNEL_TREE: built.map(kernel => kernel.tree).join(':'),
  }
  say('\nOn this machine, about both kernels')
  return runMocha('kernel host', [...files, ...(grep ? ['--grep', grep] : [])], env)
}

function choose() {
  const { values } = readArguments(USAGE, {
    options: {
      kernel: { type: 'string', multiple: true, default: KERNELS },
      grep: { type: 'string' },
      vfs: { type: 'string', default: '2' },
      timeout: { type: 'string', default: '600' },
    },
  })
  const [vfs = 0, timeoutSeconds = 0] = wholeNumbers(USAGE, { vfs: values.vfs, timeout: values.timeout })
  const names = process.env.VFIO_MIGRATE_KERNEL ? [process.env.VFIO_MIGRATE_KERNEL] : values.kernel
  return { names, ...(values.grep && { grep: values.grep }), vfs, timeoutSeconds }
}

/** @param {Machine} machine @returns {Promise<string>} one program that runs all its tests */
async function bundled({ directory, program }) {
  const from = join(COMPILED, directory)
  const files = testsIn(from)
  if (files.length === 0) throw new StepError(`There is no test in ${from}`)
  return await bundle({ code: entry(files) }, program)
}

await main(async () => {
  const { names, ...choice } = choose()
  await setup(guestPackages(names))
  const kernels = []
  for (const name of names) kernels.push(await ensureKernel(name))
  const machines = []
  for (const machine of MACHINES) machines.push({ ...machine, bundle: await bundled(machine) })
  const statuses = [await runHostTests(kernels, choice)]
  for (const kernel of kernels) {
    for (const machine of machines) statuses.push(await runOn(kernel, machine, choice))
  }
  return Math.max(...statuses)
})
