// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import { feature, operation } from '../kernel/feature.ts'
import { flavourNames, flavours, kernelNames, type KernelName } from './flavours.ts'

/** Why a mock does not migrate, in one line, and what makes one that does. */
export interface WhyNot {
  readonly cause: string
  readonly remedy: string
}

/** Either its driver migrates nothing on its kernel, or it was made without. */
export function whyNotMigratable(driver: string | undefined, kernel: KernelName): WhyNot {
  const name = flavourNames.find(name => flavours[name].driver === driver)
  const flags = name && flavours[name].flags
  if (flags?.[kernel] === 0) {
    const better = kernelNames.filter(name => (flags[name] ?? 0) > 0)
    return {
      cause: `it is a mock of ${driver} on Linux ${kernel}, where that driver does not migrate`,
      remedy: `Make it with kernel ${better.join(' or ')}.`,
    }
  }
  return {
    cause: `it is a mock of ${driver} that was made without capabilities.stopCopy`,
    remedy: 'Make it without that option.',
  }
}

/** Likewise, of a mock that is open, maybe in another process: its features tell its kernel. */
export async function whyBackendDoesNotMigrate({ driver, calls }: DeviceBackend): Promise<WhyNot> {
  // The later of the two kernels has it, and says otherwise that PRE_COPY is lacking.
  const answer = await calls.probe(feature.MIG_PRECOPY_INFOv2, operation.SET)
  return whyNotMigratable(driver, answer === -errno.ENOTTY ? '6.12' : '7.2')
}
