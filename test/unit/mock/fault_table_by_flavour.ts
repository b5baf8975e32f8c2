// SPDX-License-Identifier: Apache-2.0
import type { StateName } from 'vfio-migrate'
import type { Fault, FaultPoint, FlavourName } from 'vfio-migrate/mock'
import type { Left, Row } from './fault_table.js'

/*
 * What becomes of a migration when one thing goes wrong, in the flavours beside mlx5. Written from the drivers' sources, by
 * hand.
 *
 * The order of a migration: both are asked how much state they have; the destination is stopped and led to RESUMING; the
 * source, if it has PRE_COPY, is led there, asked how much state it has and for its one round, which it gives; it is led to
 * STOP_COPY; the destination leaves RESUMING, and runs; the source stops.
 */

const asBefore: Left = ['RUNNING', 'none']
/** Only a reset leaves it without running what is there: it had one, since it was opened here. */
const blank: Left = ['RUNNING', 'was reset']
const stopped: Left = ['STOP', 'none']
/** An arc failed that ends the saving group: what it has done nobody knows. */
const stuckIn = (state: StateName): Left => [state, 'reset']

/** The source fails; the destination has nothing whole. */
const source = (fault: Fault, code: string, left: Left = asBefore): Row => ({
  at: 'source',
  fault,
  code,
  source: left,
  destination: blank,
})
/** The destination fails; unless it may have run the source runs again. */
const destination = (fault: Fault, code: string, left: Left, other: Left = asBefore): Row => ({
  at: 'destination',
  fault,
  code,
  source: other,
  destination: left,
})
/** What the source gives out is not what it was: its framing shows it before its end is told, or the destination refuses it. */
const spoilt = (fault: Fault, code: string): Row => source(fault, code)
const moved = (at: Row['at'], fault: Fault, left: Left = stopped): Row => ({
  at,
  fault,
  code: 'moved',
  source: left,
  destination: asBefore,
})
const arc = (on: FaultPoint): Fault => ({ on, errno: 'EBUSY' })

/** What is no driver's own: the fd, the memory of who calls, and the arcs at which all are alike. */
const ofAll: readonly Row[] = [
  source({ on: 'PREPARE_SESSION', errno: 'EMFILE' }, 'EMFILE'),
  destination({ on: 'PREPARE_SESSION', errno: 'EMFILE' }, 'EMFILE', asBefore),
  source({ on: 'INSTALL_FD', errno: 'EMFILE' }, 'EMFILE'),
  destination({ on: 'INSTALL_FD', errno: 'EMFILE' }, 'EMFILE', blank),
  source({ on: 'READ', errno: 'EFAULT' }, 'EFAULT'),
  destination({ on: 'WRITE', errno: 'EFAULT' }, 'EFAULT', blank),
  destination(arc('STOP->RESUMING'), 'EBUSY', asBefore),
  destination(arc('RESUMING->STOP'), 'EBUSY', blank),
  // The destination runs by then: it has happened.
  moved('source', arc('STOP_COPY->STOP'), stuckIn('STOP_COPY')),
  destination({ on: 'SUSPEND_INITIATOR', status: 4 }, 'EIO', asBefore),
]

const withoutMemory: readonly Row[] = [
  source({ on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM'),
  destination({ on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM', asBefore),
]

const withP2p: readonly Row[] = [
  destination(arc('RUNNING->RUNNING_P2P'), 'EBUSY', asBefore),
  destination(arc('RUNNING_P2P->STOP'), 'EBUSY', asBefore),
  // Nothing has left STOP: the source may run. Something has: it may not.
  destination(arc('STOP->RUNNING_P2P'), 'EBUSY', blank),
  destination(arc('RUNNING_P2P->RUNNING'), 'EBUSY', ['RUNNING_P2P', 'none'], stopped),
]

const withPreCopy: readonly Row[] = [
  source(arc('RUNNING->PRE_COPY'), 'EBUSY'),
  source({ on: 'PRECOPY_INFO', errno: 'EFAULT' }, 'EFAULT'),
]

const withBoth: readonly Row[] = [
  ...withP2p,
  ...withPreCopy,
  source(arc('PRE_COPY->PRE_COPY_P2P'), 'EBUSY'),
  source(arc('PRE_COPY_P2P->STOP_COPY'), 'EBUSY', stuckIn('PRE_COPY_P2P')),
  source({ on: 'SUSPEND_INITIATOR', status: 4 }, 'EIO'),
]

const withoutPreCopy: readonly Row[] = [
  ...withP2p,
  source(arc('RUNNING->RUNNING_P2P'), 'EBUSY'),
  source(arc('RUNNING_P2P->STOP'), 'EBUSY'),
  source(arc('STOP->STOP_COPY'), 'EBUSY'),
  source({ on: 'SUSPEND_INITIATOR', status: 4 }, 'EIO'),
  source({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY'),
  destination({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY', asBefore),
]

/** The device does not go on in the last arc, which is behind STOP. */
const doesNotRun = (on: FaultPoint): Row =>
  destination({ on, status: 4 }, 'EIO', ['RUNNING_P2P', 'none'], stopped)

/** By flavour, of 32 KiB where its size can be chosen. */
export const migrationsOf: Readonly<Record<Exclude<FlavourName, 'mlx5'>, readonly Row[]>> = {
  // Each SAVE is made within its call: in the SET of PRE_COPY, in that of STOP_COPY.
  virtio: [
    ...ofAll,
    ...withoutMemory,
    ...withBoth,
    source({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY'),
    destination({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY', asBefore),
    // How much state there is need not be known beforehand.
    moved('source', { on: 'QUERY', status: 8 }),
    source({ on: 'QUERY', nth: 2, status: 8 }, 'ENOMEM'),
    source({ on: 'QUERY', nth: 3, status: 8 }, 'ENOMEM'),
    source({ on: 'QUERY', nth: 4, status: 8 }, 'ENOMEM', stuckIn('PRE_COPY_P2P')),
    source({ on: 'SAVE', status: 4 }, 'EIO'),
    source({ on: 'SAVE', nth: 2, status: 4 }, 'EIO', stuckIn('PRE_COPY_P2P')),
    source({ on: 'SAVE', nth: 2, status: 9 }, 'EINVAL', stuckIn('PRE_COPY_P2P')),
    destination({ on: 'LOAD', status: 3 }, 'EINVAL', blank),
    destination({ on: 'LOAD', nth: 2, errno: 'ETIMEDOUT' }, 'ETIMEDOUT', blank),
    destination({ on: 'ALLOC_RECORD', errno: 'ENOMEM' }, 'ENOMEM', blank),
    doesNotRun('RESUME_RESPONDER'),
    doesNotRun('RESUME_INITIATOR'),
    spoilt({ on: 'STREAM', flip: 4242 }, 'EINVAL'),
    // One that ends within a record is not sent to its end: the driver would not notice.
    spoilt({ on: 'STREAM', cut: 16 + 80 + 32_767 }, 'ERR_VFIO_INCOMPLETE'),
    // RESUMING -> STOP and STOP -> RUNNING_P2P look at nothing: the device would notice when it is to run, and too late.
    spoilt({ on: 'STREAM', cut: 16 + 80 + 32_768 }, 'ERR_VFIO_INCOMPLETE'),
  ],

  // It has no P2P: what stops it is what saves it.
  hisi_acc: [
    ...ofAll,
    ...withoutMemory,
    ...withPreCopy,
    source(arc('PRE_COPY->STOP_COPY'), 'EBUSY', stuckIn('PRE_COPY')),
    destination(arc('RUNNING->STOP'), 'EBUSY', asBefore),
    destination(arc('STOP->RUNNING'), 'EBUSY', blank),
    source({ on: 'SUSPEND_INITIATOR', status: 4 }, 'EIO', stuckIn('PRE_COPY')),
    source({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY', stuckIn('PRE_COPY')),
    destination({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY', asBefore),
    source({ on: 'SAVE', status: 4 }, 'EIO', stuckIn('PRE_COPY')),
    destination({ on: 'LOAD', status: 8 }, 'ENOMEM', blank),
    destination({ on: 'RESUME_RESPONDER', status: 4 }, 'EIO', blank),
    destination({ on: 'RESUME_INITIATOR', status: 4 }, 'EIO', blank),
    spoilt({ on: 'STREAM', flip: 0 }, 'EFAULT'),
    spoilt({ on: 'STREAM', cut: 100 }, 'ERR_VFIO_INCOMPLETE'),
    // Match data alone are a stream.
    moved('source', { on: 'STREAM', cut: 40 }),
  ],

  qat: [
    ...ofAll,
    ...withoutMemory,
    ...withBoth,
    source({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY'),
    destination({ on: 'SUSPEND_RESPONDER', status: 6 }, 'EBUSY', asBefore),
    source({ on: 'SAVE', status: 4 }, 'EIO', stuckIn('PRE_COPY_P2P')),
    destination({ on: 'LOAD', status: 8 }, 'ENOMEM', blank),
    // The driver does not look at what the device answers there.
    moved('destination', { on: 'RESUME_RESPONDER', status: 4 }),
    moved('destination', { on: 'RESUME_INITIATOR', status: 4 }),
    spoilt({ on: 'STREAM', flip: 0 }, 'EINVAL'),
    spoilt({ on: 'STREAM', cut: 100 }, 'ERR_VFIO_INCOMPLETE'),
  ],

  pds: [
    ...ofAll,
    ...withoutPreCopy,
    // The driver's own word for it.
    source({ on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOENT'),
    destination({ on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOENT', asBefore),
    source({ on: 'QUERY', status: 8 }, 'ENOMEM'),
    source({ on: 'SAVE', status: 4 }, 'EIO'),
    destination({ on: 'LOAD', status: 8 }, 'ENOMEM', blank),
    // It has both halves: the responder's is the first arc out of STOP.
    destination({ on: 'RESUME_RESPONDER', status: 4 }, 'EIO', blank),
    doesNotRun('RESUME_INITIATOR'),
    source({ on: 'ADAPTER_RECOVERY', nth: 7 }, 'EIO', stuckIn('ERROR')),
    destination({ on: 'ADAPTER_RECOVERY', nth: 7 }, 'EIO', blank),
    spoilt({ on: 'STREAM', flip: 4242 }, 'EINVAL'),
    spoilt({ on: 'STREAM', cut: 100 }, 'EINVAL'),
  ],

  xe: [
    ...ofAll,
    ...withoutMemory,
    ...withoutPreCopy,
    // The SAVE runs beside the SET, a read tells of it, and STOP_COPY is not left without it.
    source({ on: 'SAVE', status: 8 }, 'EIO', stuckIn('STOP_COPY')),
    // So does the LOAD beside the write; whatever it answers is EIO.
    destination({ on: 'LOAD', status: 8 }, 'EIO', blank),
    doesNotRun('RESUME_RESPONDER'),
    doesNotRun('RESUME_INITIATOR'),
    // The first packet's version, behind which nothing can be told of the rest; a page.
    spoilt({ on: 'STREAM', flip: 0 }, 'EINVAL'),
    spoilt({ on: 'STREAM', flip: 4242 }, 'EIO'),
    spoilt({ on: 'STREAM', cut: 400 }, 'ERR_VFIO_INCOMPLETE'),
  ],

  mtty: [
    ...ofAll,
    ...withoutMemory,
    ...withBoth,
    doesNotRun('RESUME_INITIATOR'),
    spoilt({ on: 'STREAM', flip: 0 }, 'EFAULT'),
    spoilt({ on: 'STREAM', cut: 50 }, 'ERR_VFIO_INCOMPLETE'),
  ],
}
