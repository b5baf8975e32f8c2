// SPDX-License-Identifier: Apache-2.0
import type { Rooted } from './facts.ts'
import { memoryFacts, type MemoryFacts } from './memory.ts'
import { attribute } from './sysfs.ts'

/** The machine that one side of a migration is on, as its process sees it. Plain JSON: the other side may be elsewhere. */
export interface MachineFacts {
  /** /proc/sys/kernel/random/boot_id: the same on both sides where they are on one machine. */
  readonly bootId: string | undefined
  /** `uname -r`. */
  readonly release: string | undefined
  readonly memory: MemoryFacts | undefined
}

/** What the machine is, and what it has left. */
export async function machineFacts(options: Rooted = {}): Promise<MachineFacts> {
  return {
    bootId: await attribute('/proc/sys/kernel/random/boot_id', options),
    release: await attribute('/proc/sys/kernel/osrelease', options),
    memory: await memoryFacts(options),
  }
}

/** Of simulated devices: no machine stands behind them. */
export const noMachine: MachineFacts = { bootId: undefined, release: undefined, memory: undefined }
