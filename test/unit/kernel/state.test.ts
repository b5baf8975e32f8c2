// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { nextState, pathTo, stateNames, stateNumber, type StateName } from '#lib/kernel/state.js'

const short = { S: 'STOP', R: 'RUNNING', SC: 'STOP_COPY', RS: 'RESUMING', RP: 'RUNNING_P2P', PC: 'PRE_COPY', PP: 'PRE_COPY_P2P' } as const // prettier-ignore

/** Next steps as the kernel's function answered them when it was compiled; x is EINVAL. Rows from, columns to. */
const grids = {
  'STOP_COPY, P2P, PRE_COPY': {
    flags: { p2p: true, preCopy: true },
    columns: 'S R SC RS RP PC PP',
    rows: {
      STOP: 'S RP SC RS RP RP RP',
      RUNNING: 'RP R RP RP RP PC RP',
      STOP_COPY: 'S S SC S S x x',
      RESUMING: 'S S S RS S S S',
      RUNNING_P2P: 'S R S S RP R PP',
      PRE_COPY: 'R R PP R R PC PP',
      PRE_COPY_P2P: 'RP RP SC RP RP PC PP',
    },
  },
  'STOP_COPY, P2P': {
    flags: { p2p: true, preCopy: false },
    columns: 'S R SC RS RP PC PP',
    rows: {
      STOP: 'S RP SC RS RP x x',
      RUNNING: 'RP R RP RP RP x x',
      STOP_COPY: 'S S SC S S x x',
      RESUMING: 'S S S RS S x x',
      RUNNING_P2P: 'S R S S RP x x',
      PRE_COPY: 'x x x x x x x',
      PRE_COPY_P2P: 'x x x x x x x',
    },
  },
  'STOP_COPY, PRE_COPY': {
    flags: { p2p: false, preCopy: true },
    columns: 'S R SC RS RP PC PP',
    rows: {
      STOP: 'S R SC RS x R x',
      RUNNING: 'S R S S x PC x',
      STOP_COPY: 'S S SC S x x x',
      RESUMING: 'S S S RS x S x',
      RUNNING_P2P: 'x x x x x x x',
      PRE_COPY: 'R R SC R x PC x',
      PRE_COPY_P2P: 'x x x x x x x',
    },
  },
  STOP_COPY: {
    flags: { p2p: false, preCopy: false },
    columns: 'S R SC RS RP PC PP',
    rows: {
      STOP: 'S R SC RS x x x',
      RUNNING: 'S R S S x x x',
      STOP_COPY: 'S S SC S x x x',
      RESUMING: 'S S S RS x x x',
      RUNNING_P2P: 'x x x x x x x',
      PRE_COPY: 'x x x x x x x',
      PRE_COPY_P2P: 'x x x x x x x',
    },
  },
}

describe('state numbers', () => {
  it('are those of enum vfio_device_mig_state', () => {
    assert.deepEqual(
      stateNames.map(name => [name, stateNumber(name)]),
      [
        ['ERROR', 0],
        ['STOP', 1],
        ['RUNNING', 2],
        ['STOP_COPY', 3],
        ['RESUMING', 4],
        ['RUNNING_P2P', 5],
        ['PRE_COPY', 6],
        ['PRE_COPY_P2P', 7],
      ],
    )
  })
})

describe('nextState', () => {
  for (const [title, { flags, columns, rows }] of Object.entries(grids)) {
    it(`is the kernel's for a device with ${title}`, () => {
      const targets = columns.split(' ').map(column => short[column as keyof typeof short])
      const table = Object.fromEntries(
        Object.keys(rows).map(from => [
          from,
          targets
            .map(to => nextState(from as StateName, to, flags))
            .map(next => Object.entries(short).find(([, name]) => name === next)?.[0] ?? 'x')
            .join(' '),
        ]),
      )
      assert.deepEqual(table, rows)
    })
  }

  it('refuses ERROR as a target and as a source', () => {
    const flags = { p2p: true, preCopy: true }
    for (const state of stateNames) {
      assert.equal(nextState(state, 'ERROR', flags), undefined)
      assert.equal(nextState('ERROR', state, flags), undefined)
    }
  })
})

describe('pathTo', () => {
  const full = { p2p: true, preCopy: true }
  const cases: [StateName, StateName, string | undefined][] = [
    ['RUNNING', 'STOP_COPY', 'RUNNING_P2P STOP STOP_COPY'],
    ['RUNNING', 'RESUMING', 'RUNNING_P2P STOP RESUMING'],
    ['RUNNING', 'PRE_COPY', 'PRE_COPY'],
    ['RUNNING', 'PRE_COPY_P2P', 'RUNNING_P2P PRE_COPY_P2P'],
    ['PRE_COPY', 'STOP_COPY', 'PRE_COPY_P2P STOP_COPY'],
    ['PRE_COPY', 'STOP', 'RUNNING RUNNING_P2P STOP'],
    ['PRE_COPY', 'RESUMING', 'RUNNING RUNNING_P2P STOP RESUMING'],
    ['PRE_COPY_P2P', 'RUNNING', 'RUNNING_P2P RUNNING'],
    ['STOP', 'PRE_COPY', 'RUNNING_P2P RUNNING PRE_COPY'],
    ['STOP_COPY', 'RUNNING', 'STOP RUNNING_P2P RUNNING'],
    ['STOP_COPY', 'PRE_COPY', undefined],
    ['STOP_COPY', 'PRE_COPY_P2P', undefined],
    ['RESUMING', 'PRE_COPY', 'STOP RUNNING_P2P RUNNING PRE_COPY'],
    ['RUNNING', 'ERROR', undefined],
    ['STOP', 'STOP', ''],
  ]
  for (const [from, to, path] of cases) {
    it(`from ${from} to ${to} is ${path === undefined ? 'refused' : path || 'empty'}`, () => {
      assert.equal(pathTo(from, to, full)?.join(' '), path)
    })
  }

  it('has no P2P states on a device without P2P', () => {
    assert.deepEqual(pathTo('PRE_COPY', 'STOP_COPY', { p2p: false, preCopy: true }), ['STOP_COPY'])
  })
})
