// SPDX-License-Identifier: Apache-2.0
// A demonstration that needs a kernel: one program in a virtual machine with the newest one.
import { join } from 'node:path'
import { bundle } from '../guest/bundle.mjs'
import { guestEnvironment } from '../guest/environment.mjs'
import { ROOT, setup } from '../setup.mjs'
import { say } from '../steps.mjs'
import { runInGuest } from '../vm/guest.mjs'
import { ensureKernel, guestPackages } from '../vm/kernel.mjs'

/** @param {string} name the program's, in test/kernel @returns {Promise<number>} its exit status */
export async function demonstrateInGuest(name) {
  await setup(guestPackages(['newest']))
  const kernel = await ensureKernel('newest')
  const program = await bundle({ entry: join(ROOT, `dist-test/kernel/${name}.js`) }, `${name}.mjs`)
  const result = await runInGuest({
    kernel,
    command: [process.execPath, '--enable-source-maps', program],
    env: await guestEnvironment(kernel),
    vfs: 2,
    timeoutSeconds: 300,
  })
  if (result.ending !== 'exited')
    say(`The virtual machine ${result.ending}; its console: ${result.consoleLog}`)
  for (const line of result.warnings) say(`kernel: ${line}`)
  return result.status
}
