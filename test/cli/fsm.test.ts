// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { fsm } from '#lib/cli/schemas/fsm.js'
import { failureOf, inProcess, jsonOf, vfioMigrate } from './command.js'

/* What the function vfio_mig_get_next_state() of Linux 6.12 and 7.2 answers, compiled and asked. */
const tables: Record<string, string> = {
  'p2p,precopy': `
from \\ to     ERR  S   R   SC  RS  RP  PC  PP
ERROR         ×    ×   ×   ×   ×   ×   ×   ×
STOP          ×    S   RP  SC  RS  RP  RP  RP
RUNNING       ×    RP  R   RP  RP  RP  PC  RP
STOP_COPY     ×    S   S   SC  S   S   ×   ×
RESUMING      ×    S   S   S   RS  S   S   S
RUNNING_P2P   ×    S   R   S   S   RP  R   PP
PRE_COPY      ×    R   R   PP  R   R   PC  PP
PRE_COPY_P2P  ×    RP  RP  SC  RP  RP  PC  PP`,
  p2p: `
from \\ to    ERR  S   R   SC  RS  RP
ERROR        ×    ×   ×   ×   ×   ×
STOP         ×    S   RP  SC  RS  RP
RUNNING      ×    RP  R   RP  RP  RP
STOP_COPY    ×    S   S   SC  S   S
RESUMING     ×    S   S   S   RS  S
RUNNING_P2P  ×    S   R   S   S   RP`,
  precopy: `
from \\ to  ERR  S  R  SC  RS  PC
ERROR      ×    ×  ×  ×   ×   ×
STOP       ×    S  R  SC  RS  R
RUNNING    ×    S  R  S   S   PC
STOP_COPY  ×    S  S  SC  S   ×
RESUMING   ×    S  S  S   RS  S
PRE_COPY   ×    R  R  SC  R   PC`,
  none: `
from \\ to  ERR  S  R  SC  RS
ERROR      ×    ×  ×  ×   ×
STOP       ×    S  R  SC  RS
RUNNING    ×    S  R  S   S
STOP_COPY  ×    S  S  SC  S
RESUMING   ×    S  S  S   RS`,
}

const paths = [
  'RUNNING → RUNNING_P2P → STOP',
  'RUNNING → RUNNING_P2P → STOP → STOP_COPY',
  'RUNNING → RUNNING_P2P → STOP → RESUMING',
  'RUNNING → PRE_COPY',
  'PRE_COPY → PRE_COPY_P2P → STOP_COPY',
  'PRE_COPY → RUNNING → RUNNING_P2P → STOP',
  'STOP_COPY → STOP → RUNNING_P2P → RUNNING',
  'RESUMING → STOP → RUNNING_P2P → RUNNING → PRE_COPY',
]

describe('vfio-migrate fsm', () => {
  for (const [flags, expected] of Object.entries(tables)) {
    it(`prints the kernel's table for the flags ${flags}`, async () => {
      const { exit, stdout } = await vfioMigrate(['fsm', '--flags', flags])
      assert.equal(exit, 0)
      assert.equal(stdout.split('\n\n')[0], expected.slice(1))
    })
  }

  it('takes all flags when none are given', async () => {
    const { stdout } = await vfioMigrate(['fsm'])
    assert.equal(stdout.split('\n\n')[0], tables['p2p,precopy']?.slice(1))
  })

  it('prints the arcs of a device without flags as dot', async () => {
    const { stdout } = await vfioMigrate(['fsm', '--flags', 'none', '--format', 'dot'])
    assert.equal(
      stdout,
      `digraph vfio_migration {
  STOP -> RUNNING
  STOP -> STOP_COPY
  STOP -> RESUMING
  RUNNING -> STOP
  STOP_COPY -> STOP
  RESUMING -> STOP
}
`,
    )
  })

  it('prints the fifteen arcs of a device with all flags as mermaid', async () => {
    const { stdout } = await vfioMigrate(['fsm', '--format', 'mermaid'])
    const [head, ...arcs] = stdout.trimEnd().split('\n')
    assert.equal(head, 'stateDiagram-v2')
    assert.equal(arcs.length, 15)
    assert.ok(arcs.includes('  PRE_COPY_P2P --> STOP_COPY'))
  })

  for (const path of paths) {
    it(`prints the path ${path}`, async () => {
      const states = path.split(' → ')
      const { stdout } = await inProcess(['fsm', '--from', states[0] ?? '', '--to', states.at(-1) ?? ''])
      assert.equal(stdout, `${path}\n`)
    })
  }

  it('refuses a path that the kernel has not', async () => {
    const { message } = await failureOf(['fsm', '--from', 'STOP_COPY', '--to', 'PRE_COPY'], 2)
    assert.match(message, /no path from STOP_COPY to PRE_COPY/)
  })

  it('refuses a state that the flags exclude, and half a question', async () => {
    const words = ['fsm', '--flags', 'precopy', '--from', 'RUNNING', '--to', 'RUNNING_P2P']
    assert.match((await failureOf(words, 2)).message, /without p2p there is no RUNNING_P2P/)
    assert.match((await failureOf(['fsm', '--from', 'STOP'], 2)).message, /go together/)
    assert.match((await failureOf(['fsm', '--flags', 'p2p,fast'], 2)).message, /not 'fast'/)
  })

  it('has the machine and the paths as JSON', async () => {
    const machine = await jsonOf(['fsm', '--flags', 'none'], fsm)
    assert.deepEqual(machine.states, ['ERROR', 'STOP', 'RUNNING', 'STOP_COPY', 'RESUMING'])
    assert.equal(machine.next?.RUNNING?.STOP_COPY, 'STOP')
    assert.equal(machine.next.STOP?.ERROR, null)
    const { path } = await jsonOf(['fsm', '--from', 'PRE_COPY', '--to', 'STOP_COPY'], fsm)
    assert.deepEqual(path, ['PRE_COPY_P2P', 'STOP_COPY'])
  })
})
