// SPDX-License-Identifier: Apache-2.0
import type { StateName } from 'vfio-migrate'
import type { Fault, MockOptions } from 'vfio-migrate/mock'

/** Where a device is left, and whether only a reset helps, or it has had one: the source is lent, the destination is not. */
export type Left = readonly [state: StateName, reset: 'none' | 'reset' | 'was reset']

/** What becomes of a migration of an mlx5 mock that has one thing go wrong. Written from the driver's source, by hand. */
export interface Row {
  readonly at: 'source' | 'destination'
  readonly fault: Fault
  /** The errno or code of the first failure; `'moved'` where the migration happens all the same. */
  readonly code: string
  readonly source: Left
  readonly destination: Left
  /** What both mocks are beside the usual. */
  readonly options?: MockOptions
  /** The migration is given up in pre-copy. */
  readonly isAborted?: true
}

const asBefore: Left = ['RUNNING', 'none']
/** It was to be loaded, and only a reset leaves that without running what is there: it had one, since it was opened here. */
const blank: Left = ['RUNNING', 'was reset']
/** The session died under PRE_COPY: by the driver, no arc leads out. */
const stuckInPrecopy: Left = ['PRE_COPY', 'reset']
/** Half suspended, and the state machine does not show it. */
const stuckInP2p: Left = ['PRE_COPY_P2P', 'reset']
const stopped: Left = ['STOP', 'none']
const moved = { code: 'moved', source: stopped, destination: asBefore } as const

const atSource = (fault: Fault, code: string, source: Left, options: MockOptions = {}): Row => ({
  at: 'source',
  fault,
  code,
  source,
  destination: blank,
  options,
})
const atDestination = (fault: Fault, code: string, destination: Left, source: Left = asBefore): Row => ({
  at: 'destination',
  fault,
  code,
  source,
  destination,
})

/*
 * The order of a migration of two rounds: both are asked how much state they have (the first QUERY); the destination is
 * stopped and led to RESUMING; the source goes to PRE_COPY (the second QUERY, the first SAVE: its initial image), is asked
 * for its first round (the third) and for its second (the fourth, and the second SAVE, incremental), is suspended, and
 * saves its final image (the fifth, and the third SAVE).
 */
// prettier-ignore
export const migrations: readonly Row[] = [
  // The destination is not there yet: both run on.
  atDestination({ on: 'SUSPEND_INITIATOR', status: 4 }, 'EIO', asBefore),
  atDestination({ on: 'SUSPEND_INITIATOR', errno: 'ETIMEDOUT' }, 'ETIMEDOUT', asBefore),
  atDestination({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY', asBefore),
  atDestination({ on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM', asBefore),
  atDestination({ on: 'PREPARE_SESSION', errno: 'EMFILE' }, 'EMFILE', asBefore),
  // The state is there, its fd is not.
  atDestination({ on: 'INSTALL_FD', errno: 'EMFILE' }, 'EMFILE', blank),

  // How much state there is need not be known.
  { at: 'source', fault: { on: 'QUERY', status: 1 }, ...moved },
  { at: 'destination', fault: { on: 'QUERY', status: 1 }, ...moved },

  // The source does not begin.
  atSource({ on: 'QUERY', nth: 2, status: 1 }, 'EIO', asBefore),
  atSource({ on: 'QUERY', nth: 2, status: 8 }, 'ENOMEM', asBefore),
  atSource({ on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM', asBefore),
  atSource({ on: 'PREPARE_SESSION', errno: 'EMFILE' }, 'EMFILE', asBefore),
  atSource({ on: 'INSTALL_FD', errno: 'EMFILE' }, 'EMFILE', asBefore),
  atSource({ on: 'SAVE_SUBMIT', errno: 'ENOMEM' }, 'ENOMEM', asBefore),

  atSource({ on: 'WAIT_SAVE', errno: 'EINTR' }, 'EINTR', asBefore),

  // The initial image fails: the session dies, and PRE_COPY -> RUNNING answers ENODEV.
  atSource({ on: 'SAVE', status: 4 }, 'ENODEV', stuckInPrecopy),
  atSource({ on: 'SAVE', errno: 'ENOLINK' }, 'ENODEV', stuckInPrecopy),
  // Status 9: pre-copy is given up in silence, and STOP_COPY gives everything.
  { at: 'source', fault: { on: 'SAVE', status: 9 }, ...moved },
  { at: 'source', fault: { on: 'SAVE', nth: 2, status: 9 }, ...moved },

  // The questions of the rounds. The query alone harms nothing; what comes after it kills the session.
  atSource({ on: 'QUERY', nth: 3, status: 4 }, 'EIO', asBefore),
  atSource({ on: 'QUERY', nth: 4, status: 4 }, 'EIO', asBefore),
  atSource({ on: 'WAIT_QUERY', errno: 'EINTR' }, 'EINTR', asBefore),
  atSource({ on: 'WAIT_QUERY', nth: 2, errno: 'EINTR' }, 'EINTR', asBefore),
  atSource({ on: 'PRECOPY_INFO', errno: 'EFAULT' }, 'EFAULT', asBefore),
  atSource({ on: 'ALLOC_PRECOPY_INFO', errno: 'ENOMEM' }, 'ENOMEM', stuckInPrecopy),
  atSource({ on: 'WAIT_SAVE', nth: 2, errno: 'EINTR' }, 'EINTR', stuckInPrecopy),
  atSource({ on: 'SAVE_SUBMIT', nth: 2, errno: 'EIO' }, 'EIO', stuckInPrecopy),
  atSource({ on: 'SAVE', nth: 2, status: 15 }, 'ENODEV', stuckInPrecopy),
  atSource({ on: 'READ', errno: 'EFAULT' }, 'EFAULT', asBefore),

  // The switch. PRE_COPY -> PRE_COPY_P2P can be undone, what finishes the saving group cannot.
  atSource({ on: 'SUSPEND_INITIATOR', status: 7 }, 'EAGAIN', asBefore),
  atSource({ on: 'WAIT_SUSPEND', errno: 'EINTR' }, 'EINTR', asBefore),
  atSource({ on: 'SUSPEND_RESPONDER', status: 4 }, 'EIO', stuckInP2p),
  atSource({ on: 'WAIT_QUERY', nth: 3, errno: 'EINTR' }, 'EINTR', stuckInP2p),
  atSource({ on: 'WAIT_SAVE', nth: 3, errno: 'EINTR' }, 'EINTR', stuckInP2p),
  atSource({ on: 'QUERY', nth: 5, status: 4 }, 'EIO', stuckInP2p),
  atSource({ on: 'SAVE_SUBMIT', nth: 3, errno: 'ENOMEM' }, 'ENOMEM', stuckInP2p),
  atSource({ on: 'ALLOC_STOP_COPY', errno: 'ENOMEM' }, 'ENOMEM', stuckInP2p, { dirty: '1GiB/s', estimateSlack: '512KiB' }),
  // The final image fails after the SET has answered: the source is stopped whole, and runs again.
  atSource({ on: 'SAVE', nth: 3, status: 4 }, 'ENODEV', asBefore),
  atSource({ on: 'SAVE', nth: 3, status: 9 }, 'ENODEV', asBefore),

  // The destination refuses: the source runs again.
  atDestination({ on: 'LOAD', status: 3 }, 'EINVAL', blank),
  atDestination({ on: 'LOAD', nth: 2, status: 9 }, 'EINVAL', blank),
  atDestination({ on: 'LOAD', nth: 3, errno: 'ETIMEDOUT' }, 'ETIMEDOUT', blank),
  atDestination({ on: 'ALLOC_RECORD', errno: 'ENOMEM' }, 'ENOMEM', blank),
  atDestination({ on: 'WRITE', errno: 'EFAULT' }, 'EFAULT', blank),
  atSource({ on: 'STREAM', flip: 4242 }, 'EINVAL', asBefore),
  // A stream without its final image: mlx5 would take it, and its RESUMING -> STOP checks nothing.
  atSource({ on: 'STREAM', cut: 24 + 16 + 80 + 65536 }, 'ERR_VFIO_INCOMPLETE', asBefore),
  // One that ends within a record is not sent to its end: the driver would not notice.
  atSource({ on: 'STREAM', cut: 24 + 16 + 80 + 65535 }, 'ERR_VFIO_INCOMPLETE', asBefore),
  atSource({ on: 'STREAM', cut: 24 }, 'ERR_VFIO_INCOMPLETE', asBefore),

  // Given up in pre-copy. Going back saves once more, for nothing, and that can fail: the session is gone, the state says PRE_COPY.
  { ...atSource({ on: 'SAVE_CLEANUP', status: 4 }, 'ABORT_ERR', stuckInPrecopy), isAborted: true },

  // The last word is the destination's. It has not run: the source may. It may have run: the source may not.
  atDestination({ on: 'RESUME_RESPONDER', status: 4 }, 'EIO', blank),
  atDestination({ on: 'RESUME_INITIATOR', status: 4 }, 'EIO', ['RUNNING_P2P', 'none'], stopped),
]

/**
 * Another holder of the device resets it in the middle of a command, which then ends with status 4: it is RUNNING, and
 * what it held is gone. Where an arc failed that finishes the saving group, this side asks for one more reset.
 * Nobody touches a device that somebody else has moved.
 */
// prettier-ignore
export const resets: readonly Row[] = [
  // Its session is there; it is RUNNING, and gives none in that.
  atSource({ on: 'SAVE', reset: true }, 'EINVAL', asBefore),
  atSource({ on: 'QUERY', nth: 4, reset: true }, 'EIO', asBefore),
  atSource({ on: 'SUSPEND_INITIATOR', reset: true }, 'EIO', asBefore),
  atSource({ on: 'SUSPEND_RESPONDER', reset: true }, 'EIO', ['RUNNING', 'reset']),
  atDestination({ on: 'LOAD', reset: true }, 'EIO', asBefore),
]
