// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { leftBehind, type Held } from '#lib/cli/left_behind.js'

const lent: Held = {
  title: 'fd:3',
  name: 'fd:3',
  isOpened: false,
  isOwnMock: false,
  before: 'RUNNING',
  last: 'PRE_COPY',
  part: undefined,
}
const opened: Held = { ...lent, title: '0000:08:00.3', name: '0000:08:00.3', isOpened: true }
const source = { side: 'source', isCommitted: false, destinationStays: false } as const
const destination = { ...source, side: 'destination' } as const

describe('what a command that dies says of a device that it had in hand', () => {
  for (const [what, held, sentence] of [
    [
      'a mock',
      { ...lent, isOwnMock: true },
      "'fd:3', last known in PRE_COPY, is a mock and ends with this command",
    ],
    [
      'one that does not tell its state',
      { ...opened, last: undefined },
      "'0000:08:00.3' is reset as it is closed",
    ],
    [
      'a lent one',
      lent,
      "'fd:3', last known in PRE_COPY, is lent and stays as it is: vfio-migrate state fd:3 tells where",
    ],
    [
      'a lent source',
      { ...lent, part: source },
      "'fd:3', last known in PRE_COPY, is lent and stays as it is: its state is its own, and vfio-migrate drive fd:3 RUNNING leads it back",
    ],
    [
      'a lent source whose destination may run on',
      { ...lent, last: 'STOP_COPY', part: { ...source, isCommitted: true, destinationStays: true } },
      "'fd:3', last known in STOP_COPY, is lent and stays as it is: its state is the destination's, so that it must not run again, and vfio-migrate drive fd:3 STOP stops it",
    ],
    [
      'a lent source whose destination ran and dies',
      { ...lent, last: 'STOP_COPY', part: { ...source, isCommitted: true } },
      "'fd:3', last known in STOP_COPY, is lent and stays as it is: its destination ends with this command, so that vfio-migrate drive fd:3 RUNNING lets it run from where it was stopped",
    ],
    [
      'an opened source',
      { ...opened, part: source },
      "'0000:08:00.3', last known in PRE_COPY, is reset as it is closed, and its state is gone",
    ],
    [
      'a lent destination that was not touched',
      { ...lent, last: 'RUNNING', part: destination },
      "'fd:3', last known in RUNNING, is lent and stays as it is: nothing was done to it",
    ],
    [
      'a lent destination with a part of a state',
      { ...lent, last: 'RESUMING', part: destination },
      "'fd:3', last known in RESUMING, is lent and stays as it is: what it holds is not whole, and only a reset helps: vfio-migrate reset fd:3 --yes",
    ],
    [
      'a lent destination that has the state',
      { ...lent, last: 'STOP', part: { ...destination, isCommitted: true, destinationStays: true } },
      "'fd:3', last known in STOP, is lent and stays as it is: the state is its own, and vfio-migrate drive fd:3 RUNNING lets it run",
    ],
    [
      'an opened destination that has the state',
      { ...opened, last: 'STOP', part: { ...destination, isCommitted: true } },
      "'0000:08:00.3', last known in STOP, is reset as it is closed, and the state that it has taken is gone with it",
    ],
  ] as [string, Held, string][]) {
    it(`that it is ${what}`, () => assert.equal(leftBehind(held), sentence))
  }
})
