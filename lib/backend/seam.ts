// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.ts'

/**
 * The seam is the system call: each operation is one request to the kernel (or to what stands in for it) and
 * answers what the kernel would, a number `>= 0` or `-errno`. No operation throws, retries, waits without being
 * told to, or knows what a migration is. States and flags are the numbers of `vfio.h`. An argument of the wrong type or
 * out of range is a mistake of the caller's code: a TypeError, thrown before any call.
 */
export type Answer = number

/** `'opened'`: the device's life began with us. `'lent'`: another process drives it and passed us its fd. */
export type Origin = 'opened' | 'lent'

/** How the fd was had: by /dev/vfio/devices/vfioN and /dev/iommu, by /dev/vfio/N and a container, or by being given it. */
export type Via = 'cdev' | 'group' | 'fd' | 'backend'

/**
 * Where several devices wait for each other between two SETs: none goes on before all have come. A party that cannot
 * come, because a SET of its failed or it was closed, breaks it.
 */
export interface Barrier {
  /** Whoever waits, or comes later, goes no further. Idempotent; without effect once all have come. */
  break(): void
}

/** A party's place at a barrier. */
export interface Gate {
  readonly barrier: Barrier
  /** Index of the SET before which it waits for the others. */
  readonly before: number
}

/** What a write is made in, in bytes. */
export const writePieceBytes: number = 1024 * 1024

/** One device behind the seam. The mock is one; the addon makes another. */
export interface DeviceBackend {
  /** It is simulated: there is no kernel, and no hardware, behind it. */
  readonly mock?: true
  /** What messages call the device: its PCI address, mdev UUID, or `fd:N`. */
  readonly name: string
  /** The bound driver's directory name, for instance `mlx5_vfio_pci`; undefined where it cannot be known. */
  readonly driver: string | undefined
  readonly origin: Origin
  readonly via: Via
  readonly clock: Clock
  readonly calls: DeviceCalls
  /** For so many devices, which have this function in common: what `setStates` of each takes in its gate. */
  readonly barrier?: (parties: number) => Barrier
}

/** What makes a backend whenever it is opened: a MockDevice. */
export interface Openable {
  open(): DeviceBackend | Promise<DeviceBackend>
}

/**
 * The calls on a device fd. `setStates`, `getState`, the features, regions and `precopyInfo` run one after another
 * in the device's control lane; `reset` runs beside them so that it can overtake a call that hangs. After `close` each
 * answers -EBADF; one that waited for its turn then answers -ECANCELED.
 */
export interface DeviceCalls {
  /** VFIO_DEVICE_GET_INFO. */
  deviceInfo(): Promise<DeviceInfoAnswer>
  /** VFIO_DEVICE_GET_REGION_INFO with its capability chain. */
  regionInfo(index: number): Promise<RegionInfoAnswer>
  /** pread(2) of `length` bytes at the fd offset `offset`, one access of `width` bytes after another. */
  regionRead(offset: number, length: number, width: number): Promise<DataAnswer>
  /** pwrite(2), likewise. Answers the number of bytes written. */
  regionWrite(offset: number, data: Uint8Array, width: number): Promise<Answer>
  /** VFIO_DEVICE_FEATURE with PROBE: 0 when `feature` exists and offers `operations` (GET 0x10000, SET 0x20000). */
  probe(feature: number, operations: number): Promise<Answer>
  /** VFIO_DEVICE_FEATURE_MIGRATION: the flags STOP_COPY 1, P2P 2, PRE_COPY 4. */
  migrationFlags(): Promise<Answer>
  /** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, GET: the state's number. */
  getState(): Promise<Answer>
  /**
   * VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, SET for each state in turn, without returning here in between; stops at
   * the first that fails. What a session needs beside the kernel's fd is made before the first SET of a list that could
   * open one: a failure there has touched nothing.
   *
   * With a `gate` the lane waits in the middle for the other parties; where they do not come it answers 0 and goes no
   * further. Whatever keeps it from getting there breaks the barrier. Only backends with a `barrier` take one.
   */
  setStates(states: readonly number[], gate?: Gate): Promise<ArcsAnswer>
  /**
   * As `setStates`, after a GET in the same breath: where that does not answer `from` nothing is SET, and `found` says what
   * it was. A backend that lacks it is asked by `getState` before.
   */
  setStatesFrom?(states: readonly number[], from: number, gate?: Gate): Promise<ArcsAnswer>
  /** VFIO_DEVICE_FEATURE_MIG_DATA_SIZE: bytes. */
  dataSize(): Promise<Answer>
  /** VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2: a one-way opt-in, kept until the last close of the device. */
  optInPrecopyInfoV2(): Promise<Answer>
  /** VFIO_DEVICE_FEATURE_DMA_LOGGING_START; `ranges` is iova, length, iova, length… Answers the page size chosen. */
  dmaLoggingStart(pageSize: number, ranges: BigUint64Array): Promise<Answer>
  /** VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP. */
  dmaLoggingStop(): Promise<Answer>
  /** VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT: one bit a page, LSB first, in words of 64. */
  dmaLoggingReport(iova: bigint, length: bigint, pageSize: number): Promise<BitmapAnswer>
  /** VFIO_DEVICE_RESET, in a thread of its own. */
  reset(): Promise<Answer>
  /** The numbers of the fds that make the device usable; they stay ours. After `close` there is none: `device` is -1. */
  fds(): DeviceFds
  /** Closes every fd of the device when the calls in the kernel have returned; sessions end with it. Idempotent. */
  close(): Promise<void>
}

/**
 * The calls on one data_fd. `read` and `write` run in the session's data lane, `precopyInfo` in the control lane of
 * its device. After `close` the first two answer -EBADF, `precopyInfo` -ENODEV. The close of the device is theirs too.
 */
export interface SessionCalls {
  /**
   * read(2) of at most `maxBytes` on the non-blocking fd, and of no more than 16 MiB whatever is asked for. EAGAIN is
   * waited for in poll(2) without limit; read(2) is asked again meanwhile, as poll(2) does not tell of every change. Where the device has nothing now (ENOMSG, or 0), it is polled for up to `waitMs`
   * and asked once more. A cancelled read answers -ECANCELED. `own` has the answer in memory of the receiver's own.
   */
  read(maxBytes: number, waitMs: number, own?: boolean): Promise<ReadAnswer>
  /**
   * As `read`, posted behind others that are not answered yet: unless the one before it gave bytes it is not made, and
   * answered -EAGAIN, which no read is answered otherwise. A backend that lacks it is read by one call at a time.
   */
  readBehind?(maxBytes: number, own?: boolean): Promise<ReadAnswer>
  /**
   * Takes back the memory of `data` that a read, of any session of this backend, has lent: its ArrayBuffer is detached, so that whoever still has it
   * finds nothing rather than the bytes of a later read. A write of it that is under way keeps the memory until it has
   * returned. False, and without effect, on anything but the whole of what a read has lent. A backend whose answers are memory
   * of JavaScript's own lacks it, and nobody needs it: what is not released comes back when it is collected.
   */
  release?(data: Uint8Array): boolean
  /**
   * Whether `data` lies in what a read, of any session of this backend, has lent and nobody has released: its write is made
   * from there, and not from a copy. Whoever has `release` has this.
   */
  isLent?(data: Uint8Array): boolean
  /**
   * write(2) until everything is taken; `data` is not to be changed before. Answers the bytes taken, or -errno of the call that failed: -EFAULT where `data`
   * was detached or shrunk before it was written. Whatever the failure, the stream has a hole from there on: every later
   * write answers -ENODEV and reaches the kernel no more.
   */
  write(data: Uint8Array): Promise<Answer>
  /**
   * With so many pieces ({@link writePieceBytes}) of `write` not answered, or fewer, all of their data is copied, or held, when
   * `write` returns. A backend that lacks it needs the memory until it answers.
   */
  readonly writeAhead?: number
  /** From now on sums what is read or written, which costs time beside each call: before the first of either. */
  summarize?(): void
  /**
   * A copy loop in the data lane, while no read is under way: read(2) of the data_fd, as `read` makes it, and write(2) to
   * `fd`, a file, pipe or socket, until nothing is there now. Both fds are waited for in poll(2): a pipe or socket whether
   * it blocks or not, while a file is waited for in its system call. `fd` may be closed as soon as this has returned. No
   * more than `maxBytes` are read, and no more than `bytesPerSecond` (0: at will). A backend that lacks it is read by `read`.
   */
  pumpTo?(fd: number, maxBytes: number, bytesPerSecond: number, waitMs: number): Pump
  /**
   * Likewise read(2) of `fd` and write(2) to the data_fd, while no write is under way, until `fd` has no more. A failure of
   * the data_fd's is as final as one of `write`.
   */
  pumpFrom?(fd: number, maxBytes: number, bytesPerSecond: number): Pump
  /**
   * write(2) of a copy of `data`, which a read has given, to `fd` as `pumpTo` makes it, in a thread of its own: reads may be
   * under way. Whoever has one of the three has all.
   */
  putTo?(fd: number, data: Uint8Array): Pump
  /**
   * The sum of all that write(2) has taken, in its order, or that read(2) has given, since `summarize`: what the kernel had of
   * us, whatever was meant to be written. `crc32:` and 8 hexadecimal digits; of what goes by `relayTo`, on both sides,
   * `fletcher128:` and 32: the sum of what the first sum was behind each little-endian word of 64 bits, the last filled up
   * with zeros, and that first sum, of the words, both modulo 2^64. A backend that does not sum lacks both.
   */
  digest?(): string
  /**
   * What `read` and `readBehind` give from now on, which must be before the first of them, goes past JavaScript to `to` as
   * well, and is written there as by `write`: data lane to data lane, and in pieces, for which a read is several calls.
   * Answers 0, or -EINVAL for what is no other session of this backend, and then nothing of the kind is done. A backend that
   * lacks it is read and written by turns.
   */
  relayTo?(to: SessionCalls): Answer
  /**
   * Of the session that it goes to: `bytes` when so many in all were taken, of those that somebody has heard of having been
   * read; -errno of the write that failed before that.
   */
  relayed?(bytes: number): Promise<Answer>
  /** VFIO_MIG_GET_PRECOPY_INFO. */
  precopyInfo(): Promise<PrecopyInfoAnswer>
  /** Wakes a waiting read and closes the fd when the call in the kernel has returned. Idempotent. */
  close(): Promise<void>
}

/** What `setStates` did. */
export interface ArcsAnswer {
  /** What GET answered, the state's number or -errno, where that was not the state to begin in. */
  readonly found?: Answer
  /** 0, or -errno of the SET that failed, or of what had to be made before the first one. */
  readonly result: Answer
  /** How many SETs succeeded; fewer than were asked for with a `result` of 0 where the gate did not open. */
  readonly done: number
  /**
   * Milliseconds on the backend's clock: [0] when the first SET was issued, [i] when the i-th was answered, the failed one
   * included. Where [0] is all there is no SET was issued. Where what serves the device went away in the middle, `result` is
   * -ENODEV, `done` 0, and [1] the moment at which that was found.
   */
  readonly times: Float64Array
  /** When the gate was passed, on the same clock: the SET behind it was issued then. Absent where there was none to pass. */
  readonly passed?: number
  /** The device's arc number after the last success: it counts every SET of this device that succeeded. */
  readonly arc: number
  /** The session that one of the SETs opened; the caller owns it. */
  readonly session?: SessionCalls
}

export interface DataAnswer {
  readonly result: Answer
  /** `result` bytes when that is `>= 0`, the receiver's own memory. */
  readonly data: Uint8Array
}

export interface ReadAnswer extends DataAnswer {
  /** `data` is memory that `release` takes back; it is the receiver's own where this is absent. */
  readonly lent?: boolean
  /**
   * The device's arc number when read(2) was issued. A 0 is the end of the stream only when this is not older than
   * the SET that answered STOP_COPY; any other 0 may have been answered before the device had written its last bytes.
   */
  readonly arc: number
}

/** A copy loop that is under way, or over. */
export interface Pump {
  readonly done: Promise<PumpAnswer>
  /** What it has read so far. */
  bytesRead(): number
  /** What was taken of that. */
  bytesWritten(): number
  /**
   * Ends it with -ECANCELED, wherever it waits; what was read goes where it was to go first, as long as that need not be
   * waited for. Idempotent; without effect when it is over.
   */
  cancel(): void
}

export interface PumpAnswer {
  /** What `call` answered: of a read 0, or -ENOMSG, where there is no more. Above 0 where `maxBytes` were read, and taken. */
  readonly result: Answer
  /** The call that ended it; before the first of its reads those that it needs for itself. */
  readonly call: 'eventfd' | 'dup' | 'mmap' | 'read' | 'write'
  /** What was taken. */
  readonly bytes: number
  /** The device's arc number when it was last read, as of a {@link ReadAnswer}. */
  readonly arc: number
  /** What was read of the device and not taken, where that is anything: memory of the receiver's own. */
  readonly rest?: Uint8Array
}

export interface PrecopyInfoAnswer {
  readonly result: Answer
  readonly initialBytes: number
  readonly dirtyBytes: number
  /** Kernel output only after `optInPrecopyInfoV2`: bit 0 is REINIT. Zero otherwise. */
  readonly flags: number
}

export interface DeviceInfoAnswer {
  readonly result: Answer
  readonly flags: number
  readonly numRegions: number
  readonly numIrqs: number
}

export interface RegionInfoAnswer {
  readonly result: Answer
  readonly flags: number
  readonly size: number
  /** Where the region begins in the device fd. */
  readonly offset: number
  /** VFIO_REGION_INFO_CAP_TYPE, where present. */
  readonly type?: { readonly type: number; readonly subtype: number }
  /** VFIO_REGION_INFO_CAP_SPARSE_MMAP, where present. */
  readonly sparse?: readonly { readonly offset: number; readonly size: number }[]
}

export interface BitmapAnswer {
  readonly result: Answer
  readonly bitmap: BigUint64Array
}

/** What a device's fd stands on. */
export interface Companions {
  readonly iommufd?: number
  readonly group?: number
  readonly container?: number
}

export interface DeviceFds extends Companions {
  readonly device: number
}

/** The system calls that open a device, in the order in which they are made. */
export type OpenStep =
  | 'open cdev'
  | 'open iommufd'
  | 'VFIO_DEVICE_BIND_IOMMUFD'
  | 'open group'
  | 'VFIO_GROUP_GET_STATUS'
  | 'open container'
  | 'VFIO_GROUP_SET_CONTAINER'
  | 'VFIO_SET_IOMMU'
  | 'VFIO_GROUP_GET_DEVICE_FD'
  | 'start thread'

export interface OpenAnswer {
  readonly result: Answer
  /** The call that answered `result`; the last one when all succeeded. A group that is not viable is -EPERM of VFIO_GROUP_GET_STATUS. */
  readonly step: OpenStep
  readonly calls?: DeviceCalls
}

/** A file that is locked by us; the kernel lets go of it when this process has ended, its calls in the kernel included. */
export interface FileLock {
  /** Idempotent. The file stays. */
  release(): void
}

export interface LockAnswer {
  readonly result: Answer
  readonly lock?: FileLock
}

/** What the addon exports. */
export interface Addon {
  /** open(cdev), open(iommufd), BIND_IOMMUFD with the token (16 bytes) where one is given. No IOAS is attached: state moves without DMA. */
  openCdev(cdev: string, iommufd: string, token: Uint8Array | undefined): Promise<OpenAnswer>
  /**
   * Group and container are opened once per process and counted. `name` is what VFIO_GROUP_GET_DEVICE_FD takes. All groups
   * of one container path and IOMMU type share one container: where that one refuses another group, as its IOMMU domain
   * may, the open fails with -errno of VFIO_GROUP_SET_CONTAINER, and no second container is tried.
   */
  openGroup(group: string, container: string, iommuType: number, name: string): Promise<OpenAnswer>
  /**
   * Takes ownership of `fd` and of its companions, which are closed after it; touches none of them. A number is taken once
   * in the process: -EBUSY, whatever `step` says, where one of them was adopted before and is not closed yet, or is given
   * twice. A call that fails takes nothing.
   */
  adopt(fd: number, companions: Companions): OpenAnswer
  /** A barrier for `parties` devices, at least 1. */
  readonly barrier: (parties: number) => Barrier
  /** open(2) of the file, which is made where it is not there, and flock(2): -EWOULDBLOCK where somebody else has it. */
  lockFile(path: string): LockAnswer
  /**
   * How many lanes (threads) and sessions are alive in this process, how many fds of far ends that are pumped to or from, and
   * how many mappings for data: for leak tests.
   */
  census(): {
    readonly lanes: number
    readonly sessions: number
    readonly devices: number
    readonly buffers: number
    readonly farEnds: number
  }
}
