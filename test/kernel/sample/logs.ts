// SPDX-License-Identifier: Apache-2.0
// Who could execute the state that was moved, and when: by the firmware's own logs, without asking engine or kernel.
import assert from 'node:assert/strict'
import type { BottledFunction, Command, Run } from '../bottled.ts'

/** In ns of CLOCK_MONOTONIC. */
interface Stretch {
  readonly begin: bigint
  readonly end: bigint
}

const never = 2n ** 63n

const isDone = ({ fields }: Command): boolean => fields.status === '0x0'

/** At no time two owners, and each step made once. */
export async function checkLogs(from: BottledFunction, to: BottledFunction): Promise<void> {
  const given = alive(await from.commands(), 0n)
  const taken = takenOver(await to.commands())
  for (const { begin } of taken)
    for (const one of given)
      assert.ok(one.end <= begin, `the source goes on until ${one.end}, the destination from ${begin}`)
  const runs = (await Promise.all([from, to].map(one => one.runs()))).flat()
  for (const seed of new Set(runs.map(run => run.seed))) checkSteps(runs.filter(run => run.seed === seed))
}

/** Of one state: none was made twice, by whomever, and none left out. */
function checkSteps(runs: readonly Run[]): void {
  const inOrder = runs.toSorted((one, other) => Number(one.first - other.first))
  for (const [index, { seed, first }] of inOrder.entries())
    if (index > 0) assert.equal(first, inOrder[index - 1]?.after, `epoch ${first} of seed ${seed}`)
}

/**
 * When a function did its work, or took the DMA of others: until its responder is suspended, and from when that is resumed.
 * What a reset makes of it is another life, and nobody gives a command for that.
 */
function alive(commands: readonly Command[], since: bigint | undefined): Stretch[] {
  const stretches: Stretch[] = []
  let begin = since
  for (const command of commands.filter(isDone)) {
    if (command.name === 'RESUME_RESPONDER') begin ??= command.begin
    if (command.name !== 'SUSPEND_RESPONDER' || begin === undefined) continue
    stretches.push({ begin, end: command.end })
    begin = undefined
  }
  return begin === undefined ? stretches : [...stretches, { begin, end: never }]
}

/** Likewise with what was loaded into it. */
function takenOver(commands: readonly Command[]): Stretch[] {
  const loaded = commands.findIndex(command => command.name === 'LOAD' && isDone(command))
  return loaded < 0 ? [] : alive(commands.slice(loaded), undefined)
}
