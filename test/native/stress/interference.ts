// SPDX-License-Identifier: Apache-2.0
import { errno } from '#lib/kernel/errno.js'
import { kernel, type Fault } from '../preloaded/kernel.js'
import type { Holder } from './holder.js'

/** What the next images of the device will be. */
export function resize({ index, dice }: Holder): Promise<void> {
  kernel.set(index, {
    image: dice.below(dice.oneIn(6) ? 3 << 20 : 1 << 16),
    dirty: dice.oneIn(3) ? 0 : dice.below(1 << 16),
    autosave: dice.oneIn(2),
    chunks: dice.oneIn(2),
  })
  return Promise.resolve()
}

function rule({ index }: Holder, operation: string, fault: Fault, value: number): Promise<void> {
  try {
    kernel.rule(index, operation, fault, value)
  } catch (error) {
    // It has no room for another now.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
  return Promise.resolve()
}

/** The call stays in the kernel until the firmware lets it go. */
export const held = ['SET_STATE', 'GET_STATE', 'PRECOPY_INFO', 'RESET', 'DATA_SIZE', 'read', 'write'] as const

export const hold = (holder: Holder): Promise<void> => rule(holder, holder.dice.pick(held), 'hold', 0)

export const cut = (holder: Holder): Promise<void> =>
  rule(holder, holder.dice.pick(['read', 'write']), 'cut', 1 + holder.dice.below(5000))

export const fail = (holder: Holder): Promise<void> =>
  rule(holder, holder.dice.pick(['SET_STATE', 'PRECOPY_INFO', 'read', 'write']), 'fail', errno.EIO)
