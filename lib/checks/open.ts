// SPDX-License-Identifier: Apache-2.0
import type { OpenStep } from '../backend/seam.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import type { DeviceFacts, HostFacts } from '../host/facts.ts'
import { errnoName } from '../kernel/errno.ts'
import { closedRules, openRules } from './open_rules.ts'
import { explain, type Explanation } from './rule.ts'
import type { OpenTry } from './try.ts'

/** Why a device could not be opened: one explanation for each way that was tried, or one where there is no way. */
export function explainTries(
  tries: readonly OpenTry[],
  device: DeviceFacts,
  host: HostFacts,
): readonly Explanation[] {
  if (!device.vfio || tries.length === 0) return [explain(closedRules, { device, host })]
  return tries.map(attempt => explain(openRules, { attempt, device, host }))
}

/**
 * The ERR_VFIO_OPEN that tells why a device could not be opened, with the remedy. Its `cause` is the kernel's answer
 * to the last try, which decided; absent where no call was made.
 */
export function explainOpen(tries: readonly OpenTry[], device: DeviceFacts, host: HostFacts): VfioError {
  const texts = explainTries(tries, device, host).map(({ cause, remedy }, index) => {
    const attempt = device.vfio ? tries[index] : undefined
    return [attempt === undefined ? undefined : answerText(attempt), cause, remedy].filter(Boolean).join(' ')
  })
  const [only = ''] = texts
  const body = texts.length === 1 ? ` ${only}` : texts.map(text => `\n- ${text}`).join('')
  return new VfioError('ERR_VFIO_OPEN', `Cannot open ${device.name}.${body}`, {
    device: device.name,
    cause: systemError(tries.at(-1), device),
  })
}

/** Nothing for a way that has no node: the kernel was not asked anything there. */
function answerText({ step, path, result }: OpenTry): string | undefined {
  if (!path.startsWith('/')) return undefined
  const call = step.startsWith('open ') ? `open ${path}` : `${step} of ${path}`
  return `${call} answered ${errnoName(result)}.`
}

function systemError(attempt: OpenTry | undefined, device: DeviceFacts): VfioSystemError | undefined {
  if (attempt === undefined) return undefined
  return new VfioSystemError(
    attempt.result,
    { ...callOf(attempt.step), path: attempt.path },
    { device: device.name },
  )
}

function callOf(step: OpenStep): { syscall: string; request?: string } {
  if (step.startsWith('open ')) return { syscall: 'open' }
  return step === 'start thread' ? { syscall: 'pthread_create' } : { syscall: 'ioctl', request: step }
}
