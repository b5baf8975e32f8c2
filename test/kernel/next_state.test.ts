// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { nextState, stateName, stateNames, type StateName } from '#lib/kernel/state.js'
import { loadModule } from './kernel_module.ts'

/** What the kernel's function answered: -EINVAL is undefined, as nextState has it. */
interface Answer {
  readonly flags: number
  readonly from: StateName
  readonly to: StateName
  readonly next: StateName | undefined
}

const einval = -22
const warnings = (): number => Number(readFileSync('/sys/kernel/warn_count', 'utf8'))

function parse(line: string): Answer {
  const [flags = NaN, from = NaN, to = NaN, answer = NaN] = line.split(' ').map(Number)
  const name = (number: number): StateName => {
    const state = stateName(number)
    assert.ok(state, `the kernel answered ${number} in '${line}'`)
    return state
  }
  return { flags, from: name(from), to: name(to), next: answer === einval ? undefined : name(answer) }
}

/** Asks once: the kernel warns about each row that a device's flags do not allow. */
async function askKernel(): Promise<{ answers: Answer[]; warned: number }> {
  await using module = await loadModule('next_state')
  writeFileSync('/dev/kmsg', 'EXPECT-KERNEL-WARNING vfio_mig_get_next_state')
  const before = warnings()
  const text = readFileSync(module.debugfs, 'utf8')
  return { answers: text.trim().split('\n').map(parse), warned: warnings() - before }
}

describe("nextState beside the kernel's own function", () => {
  let kernel: Awaited<ReturnType<typeof askKernel>>
  before(async () => {
    kernel = await askKernel()
  })

  it('is asked for all 64 pairs on devices of all 4 kinds', () => {
    const cases = new Set(kernel.answers.map(({ flags, from, to }) => `${flags} ${from} ${to}`))
    assert.equal(cases.size, 256)
    assert.deepEqual([...new Set(kernel.answers.map(({ flags }) => flags))], [1, 3, 5, 7])
  })

  for (const flags of [1, 3, 5, 7]) {
    it(`is equal for every pair on a device with flags ${flags}`, () => {
      const machine = { p2p: (flags & 2) !== 0, preCopy: (flags & 4) !== 0 }
      const asked = kernel.answers.filter(answer => answer.flags === flags)
      const ours = asked.map(({ from, to }) => `${from} -> ${to}: ${nextState(from, to, machine)}`)
      const theirs = asked.map(({ from, to, next }) => `${from} -> ${to}: ${next}`)
      assert.equal(ours.length, stateNames.length ** 2)
      assert.deepEqual(ours, theirs)
    })
  }

  it('answers nothing for the 88 pairs that the kernel warns about, ERROR and rows the device lacks', () => {
    assert.equal(kernel.warned, 88)
    const refusedRows = kernel.answers.filter(({ flags, from }) => {
      const lacks = { RUNNING_P2P: 2, PRE_COPY: 4, PRE_COPY_P2P: 6 }[from as string] ?? 0
      return from === 'ERROR' || (flags & lacks) !== lacks
    })
    assert.equal(refusedRows.length, 88)
    assert.ok(refusedRows.every(({ next }) => next === undefined))
  })
})
