// SPDX-License-Identifier: Apache-2.0
// Runs a command in a guest whose root is this machine's, read-only.
import { USAGE_ERROR, readArguments, wholeNumbers } from '../arguments.mjs'
import { StepError, main, say } from '../steps.mjs'
import { runInGuest } from './guest.mjs'
import { ensureKernel, guestPackages } from './kernel.mjs'
import { ensurePackages } from './packages.mjs'

const USAGE = `Usage: node scripts/vm/run.mjs [options] -- COMMAND ARGUMENTS...
  --kernel NAME      6.12, newest (default) or the path of a bzImage
  --memory MIB       2048
  --vfs N            virtual functions of an emulated PCIe controller, bound to no driver
  --pfs N            1; that many controllers, each with its virtual functions
  --no-intremap      an IOMMU without interrupt remapping
  --no-iommu         no IOMMU at all
  --timeout SECONDS  600; afterwards the exit status is 124
  --writable DIR     the guest may write here (repeatable)
  --env NAME=VALUE   (repeatable)
The exit status is the command's; 125 when the guest died under it.`

const parse = () =>
  readArguments(USAGE, {
    allowPositionals: true,
    options: {
      kernel: { type: 'string', default: 'newest' },
      memory: { type: 'string', default: '2048' },
      vfs: { type: 'string', default: '0' },
      pfs: { type: 'string', default: '1' },
      timeout: { type: 'string', default: '600' },
      writable: { type: 'string', multiple: true, default: [] },
      env: { type: 'string', multiple: true, default: [] },
      'no-intremap': { type: 'boolean' },
      'no-iommu': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })

/** @param {string} setting */
function nameAndValue(setting) {
  const [, name, value] = setting.match(/^([A-Za-z_]\w*)=([^]*)$/) ?? []
  if (name === undefined)
    throw new StepError(`--env takes NAME=VALUE, not '${setting}'\n${USAGE}`, USAGE_ERROR)
  return [name, value]
}

/** @param {import('./guest.mjs').GuestResult} result */
function explain({ ending, console, consoleLog, warnings }) {
  if (ending !== 'exited') {
    say(`The guest ${ending}. The end of its console (all of it: ${consoleLog}):`)
    say(console.trimEnd().split('\n').slice(-40).join('\n'))
  }
  for (const line of warnings) say(`kernel: ${line}`)
}

await main(async () => {
  const { values, positionals } = parse()
  if (values.help || positionals.length === 0) throw new StepError(USAGE, values.help ? 0 : USAGE_ERROR)
  const env = Object.fromEntries(values.env.map(nameAndValue))
  const { memory, vfs, pfs, timeout } = values
  const [memoryMiB, functions, controllers, timeoutSeconds] = wholeNumbers(USAGE, {
    memory,
    vfs,
    pfs,
    timeout,
  })
  await ensurePackages(guestPackages([values.kernel]))
  const result = await runInGuest({
    kernel: await ensureKernel(values.kernel),
    command: positionals,
    env,
    memory: memoryMiB,
    vfs: functions,
    pfs: controllers,
    iommu: values['no-iommu'] ? 'none' : values['no-intremap'] ? 'no-remapping' : 'remapping',
    writable: values.writable,
    timeoutSeconds,
  })
  explain(result)
  return result.status
})
