// SPDX-License-Identifier: Apache-2.0
// npm run test:hardware: the contract on real functions of this machine, see docs/hardware.md. It resets what it is given.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { USAGE_ERROR, readArguments } from './arguments.mjs'
import { record } from './results.mjs'
import { ROOT, setup } from './setup.mjs'
import { MISSING, StepError, main, say } from './steps.mjs'

const USAGE = `Usage: npm run test:hardware -- --device NAME --peer NAME [--participant COMMAND] [--level 1|2] [--grep TEXT]
  --device NAME          a migratable device: PCI address or mdev UUID. It is reset, and driven through every arc
  --peer NAME            a second one of its kind, likewise
  --participant COMMAND  gives a device state and reads it back: docs/hardware.md
  --level 1|2            only the rules, or only the state
  --grep TEXT            only the rules whose line has this text
Naming the devices is the consent: nothing else is asked. Whatever state they have is lost.`

function choose() {
  const { values } = readArguments(USAGE, {
    options: {
      device: { type: 'string' },
      peer: { type: 'string' },
      participant: { type: 'string' },
      level: { type: 'string' },
      grep: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const { device, peer, participant, level, grep, help } = values
  if (help) throw new StepError(USAGE, 0)
  if (device === undefined || peer === undefined) throw new StepError(USAGE, USAGE_ERROR)
  if (device === peer) throw new StepError(`--device and --peer are one device\n${USAGE}`, USAGE_ERROR)
  if (level !== undefined && level !== '1' && level !== '2')
    throw new StepError(`--level takes 1 or 2, not '${level}'\n${USAGE}`, USAGE_ERROR)
  if (level === '2' && participant === undefined)
    throw new StepError(`--level 2 takes a --participant\n${USAGE}`, USAGE_ERROR)
  /** @type {1 | 2 | undefined} */
  const only = level === undefined ? undefined : level === '1' ? 1 : 2
  return {
    device,
    peer,
    ...(participant !== undefined && { participant }),
    ...(only && { level: only }),
    ...(grep && { grep }),
  }
}

/** Devices that are not there, cannot be opened, or are no pair: the message says why, and what to do. @param {any} error @returns {never} */
function refuse(error) {
  const isExplained = /^ERR_(VFIO|ASSERTION)/.test(error?.code ?? '') || error?.syscall
  throw isExplained ? new StepError(error.message, MISSING) : error
}

/** Status of a process that was ended by SIGINT. */
const INTERRUPTED = 130

/** The first Ctrl-C lets what is running come to its end, the second does not. */
function interruption() {
  const controller = new AbortController()
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED)
    say(
      'Ends when what is running has ended and both devices are reset. At once if interrupted again: then it is the',
    )
    say('kernel that resets a PCI function, at its last close; an mdev stays in the state that it is in.')
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupt)
  return controller.signal
}

await main(async () => {
  const chosen = choose()
  await setup()
  const signal = interruption()
  /** @type {typeof import('../dist-test/hardware/run.js')} */
  const { testHardware } = await import(pathToFileURL(join(ROOT, 'dist-test/hardware/run.js')).href)
  const { passed, failed, notRun, proven, hangs } = await testHardware({ ...chosen, say, signal }).catch(
    refuse,
  )
  record({ suite: 'hardware', passed: passed.length, failed: failed.length, skipped: notRun.length })
  const claim =
    proven === undefined
      ? 'nothing is claimed about state'
      : `${proven} proofs that state is where it belongs`
  console.log(`${passed.length} passed, ${failed.length} failed, ${notRun.length} not run; ${claim}`)
  // The call that does not come back would keep the process.
  if (hangs) process.exit(1)
  if (signal.aborted) return INTERRUPTED
  return failed.length > 0 ? 1 : 0
})
