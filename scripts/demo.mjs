// SPDX-License-Identifier: Apache-2.0
// npm run demo: a migration to look at. Between two simulated devices, at once; or, in a virtual machine with the newest
// kernel, between two devices of a driver of its own.
import { readArguments, USAGE_ERROR } from './arguments.mjs'
import { main, StepError } from './steps.mjs'

const USAGE = `Usage: npm run demo [-- --kernel | --mlx5]
  without       two simulated devices in this process: no kernel, no hardware, a few seconds
  --kernel      two devices of the kernel's sample driver mtty, in a virtual machine
  --mlx5        two functions of the kernel's own mlx5 driver on simulated firmware, in a virtual machine
  -h, --help    this`

await main(async () => {
  const { values } = readArguments(USAGE, {
    options: {
      kernel: { type: 'boolean' },
      mlx5: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const { kernel, mlx5, help } = values
  if (help) {
    console.log(USAGE)
    return 0
  }
  if (kernel && mlx5)
    throw new StepError(`--kernel and --mlx5 are two demonstrations: take one\n${USAGE}`, USAGE_ERROR)
  if (!kernel && !mlx5) return await (await import('./demo/mock.mjs')).demonstrate()
  return await (await import('./demo/guest.mjs')).demonstrateInGuest(kernel ? 'demo' : 'demo_mlx5')
})
