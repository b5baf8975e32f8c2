// SPDX-License-Identifier: Apache-2.0
// npm run demo: a real migration between two devices of the newest kernel, in a virtual machine. Arguments go to it.
import { join } from 'node:path'
import { bundle } from './guest/bundle.mjs'
import { guestEnvironment } from './guest/environment.mjs'
import { ROOT, setup } from './setup.mjs'
import { main, say } from './steps.mjs'
import { runInGuest } from './vm/guest.mjs'
import { ensureKernel, guestPackages } from './vm/kernel.mjs'

await main(async () => {
  await setup(guestPackages(['newest']))
  const kernel = await ensureKernel('newest')
  const program = await bundle({ entry: join(ROOT, 'dist-test/kernel/demo.js') }, 'demo.mjs')
  const result = await runInGuest({
    kernel,
    command: [process.execPath, '--enable-source-maps', program, ...process.argv.slice(2)],
    env: await guestEnvironment(kernel),
    vfs: 2,
    timeoutSeconds: 300,
  })
  if (result.ending !== 'exited')
    say(`The virtual machine ${result.ending}; its console: ${result.consoleLog}`)
  for (const line of result.warnings) say(`kernel: ${line}`)
  return result.status
})
