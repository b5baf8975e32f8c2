// SPDX-License-Identifier: Apache-2.0
import { errno } from '#lib/kernel/errno.js'
import { kernel } from '../preloaded/kernel.js'
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

/** The call stays in the kernel until the firmware lets it go. */
export const held = ['SET_STATE', 'GET_STATE', 'PRECOPY_INFO', 'RESET', 'DATA_SIZE', 'read', 'write'] as const

export function hold({ index, dice }: Holder): Promise<void> {
  kernel.hold(index, dice.pick(held))
  return Promise.resolve()
}

export function cut({ index, dice }: Holder): Promise<void> {
  kernel.rule(index, dice.pick(['read', 'write']), 'cut', 1 + dice.below(5000))
  return Promise.resolve()
}

export function fail({ index, dice }: Holder): Promise<void> {
  kernel.rule(index, dice.pick(['SET_STATE', 'PRECOPY_INFO', 'read', 'write']), 'fail', errno.EIO)
  return Promise.resolve()
}
