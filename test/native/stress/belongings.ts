// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { addon } from '../preloaded/addon.js'
import { kernel } from '../preloaded/kernel.js'

/** What is in `directory`; what is gone before it is looked at is not. */
function each(directory: string, look: (path: string) => string): string[] {
  return readdirSync(directory).flatMap(name => {
    try {
      return [look(`${directory}/${name}`)]
    } catch {
      return []
    }
  })
}

/** `socket:[12]` is a socket. */
const fd = (path: string): string => `fd of ${readlinkSync(path).replace(/:\[\d+\]$/, '')}`
const thread = (path: string): string => `thread ${readFileSync(`${path}/comm`, 'utf8').trim()}`

/** The fds and threads of this process. A worker that is terminated while it opens a file leaves that open: Node's affair. */
export const belongings = (directory: string): string[] => [
  ...each('/proc/self/fd', fd).filter(what => !what.includes(directory)),
  ...each('/proc/self/task', thread),
]

/** What of the addon and of the fake kernel is alive. */
const alive = (): string[] => [
  ...Object.entries(addon.census()).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`])),
  ...kernel.files(),
]

function without(list: readonly string[], others: readonly string[]): string[] {
  const rest = [...list]
  for (const other of others) {
    const at = rest.indexOf(other)
    if (at >= 0) rest.splice(at, 1)
  }
  return rest
}

/**
 * Waits until nothing is left but what there was `before`: threads end on their own after their last fd is closed, memory
 * comes back when it is collected.
 */
export async function nothingIsLeft(directory: string, before: readonly string[]): Promise<void> {
  const left = (): string[] => [...alive(), ...without(belongings(directory), before)]
  for (let i = 0; i < 2000 && left().length > 0; i++) {
    if (i % 20 === 0) globalThis.gc?.()
    await after(1)
  }
  assert.deepEqual(left(), [])
}
