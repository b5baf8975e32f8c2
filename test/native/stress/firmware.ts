// SPDX-License-Identifier: Apache-2.0
import { setTimeout as after } from 'node:timers/promises'
import { kernel } from '../preloaded/kernel.js'
import { deviceCount } from './devices.js'
import type { Dice } from './dice.js'
import { held } from './interference.js'

/** How long it takes between two of its doings, in ms. */
const paceMs = 1

/** Nothing was held, or asked for. */
function tell(command: string): void {
  try {
    kernel.tell(command)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Lets calls go and SAVEs end, of all devices: some sooner, some later, until `isOver`. */
export async function firmware(dice: Dice, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await after(paceMs)
    for (let index = 0; index < deviceCount; index++) if (dice.oneIn(6)) tell(`complete ${index}`)
    // Of rules that nothing meets there would be more and more.
    if (dice.oneIn(100)) tell('obey')
    if (dice.oneIn(3)) tell(`release ${dice.pick(held)}`)
  }
}
