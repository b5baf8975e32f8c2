// SPDX-License-Identifier: Apache-2.0
import type { DeviceInfoAnswer, PrecopyInfoAnswer, RegionInfoAnswer } from '../../backend/seam.ts'
import type { StateName } from '../../kernel/state.ts'
import type { MockClock } from '../clock.ts'
import type { FaultPlan } from '../fault_plan.ts'
import type { Firmware } from '../firmware.ts'
import type { History } from '../history.ts'
import type { ResolvedOptions } from '../options.ts'
import type { StateMutex } from '../state_mutex.ts'
import type { WaitQueue } from '../wait.ts'

/** What a driver finds below and around it. Numbers are answers as the kernel's functions give them: `>= 0` or -errno. */
export interface Kernel {
  readonly options: ResolvedOptions
  readonly clock: MockClock
  readonly firmware: Firmware
  readonly faults: FaultPlan
  readonly history: History
  /** Held by whoever calls a driver's function, unless that function says otherwise. */
  readonly mutex: StateMutex
  /** The state as of the last arc that was completed. */
  readonly state: StateName
  /** INFOv2 was opted into. */
  readonly precopyInfoV2: boolean
  /** The adapter puts the device into ERROR by itself. */
  enterError(): void
  /** The kernel dereferences what is not there: this call and every later one rejects with a MockOops. */
  oops(what: string): never
}

/** A variant driver: what drivers/vfio/pci/<name> does behind vfio_main.c. */
export interface Driver {
  /** Makes one arc of the table. Answers the session that it opened, 0, or -errno: then the state is still `from`. */
  step(from: StateName, to: StateName): Promise<Session | number>
  /** What a SET answers before the table is asked; 0 to go on. pds: -EIO in ERROR. */
  beforeSet?(): number
  /** The table refuses `to`. xe tells the adapter. */
  onRefused?(to: number): void
  /** VFIO_DEVICE_FEATURE_MIG_DATA_SIZE. */
  dataSize(): Promise<number>
  /** Its reset takes the state mutex as any call does: it waits for a SET that runs, instead of leaving it a note. */
  readonly resetWaits?: boolean
  /** pds: the adapter has recovered from a failure of its own. With the state mutex held. */
  onAdapterRecovery?(): void
  /** Somebody opens the device that nobody had open. */
  opened?(): void
  /** Kills the session: after a reset, at the last close. Resolves when nothing of it runs any more. */
  endSessions(): Promise<void>
  /** Absent where that it goes is not simulated. */
  readonly pf?: Pf
  /** The session, until it has ended. */
  readonly session: Session | undefined
  /** The state survives the last close, though its session does not (mtty). */
  readonly keepsState?: boolean
  /** Undefined without dmaLogging. */
  readonly log?: DmaLog
  /** The device's regions; those of a PCI function with config space alone unless the driver has its own. */
  readonly regions?: Regions
}

/** The PF takes the function away from the driver, and gives it back. */
export interface Pf {
  readonly detach: () => Promise<void>
  readonly attach: () => void
}

/** What poll(2) says of an fd without a poll handler: always ready. Bits as in poll.h. */
export const alwaysReady = 0x145
export const POLLIN = 0x1
export const POLLRDNORM = 0x40
export const POLLRDHUP = 0x2000

/** One data_fd, as its file operations in the driver. None of them is called with the state mutex held, unless it says so. */
export interface Session {
  readonly direction: 'read' | 'write'
  /** Woken when `poll` or what `read` would answer changes. */
  readonly changed: WaitQueue
  /** read(2), O_NONBLOCK: bytes that the caller owns, or 0, or -errno. */
  read(maxBytes: number): Promise<Uint8Array | number>
  /** write(2): the bytes taken, which may be fewer than there are, or -errno. */
  write(data: Uint8Array): Promise<number>
  /** poll(2): a mask of poll.h. Absent: {@link alwaysReady}. */
  poll?(): number
  /**
   * VFIO_MIG_GET_PRECOPY_INFO behind the check of the state, with the state mutex held. Absent: the fd has no such ioctl,
   * and ENOTTY is answered.
   */
  precopyInfo?(): Promise<PrecopyInfoAnswer>
}

/** vfio_device.log_ops, behind the checks of vfio_main.c, with the state mutex held. Addresses are bytes. */
export interface DmaLog {
  /** Answers the page size chosen, or -errno. */
  start(
    pageSize: number,
    ranges: readonly { readonly first: bigint; readonly last: bigint }[],
  ): Promise<number>
  stop(): Promise<number>
  /** Calls `dirty` for each stretch of pages that was written in the range, and forgets them. */
  report(iova: bigint, length: bigint, dirty: (iova: bigint, length: bigint) => void): Promise<number>
  /** The last close. */
  close(): void
}

/** VFIO_DEVICE_GET_INFO, GET_REGION_INFO, pread(2) and pwrite(2) on the device fd. */
export interface Regions {
  /** The function is opened, and nobody else has it open. */
  renew?(): void
  info(): DeviceInfoAnswer
  region(index: number): RegionInfoAnswer
  /** One access of `into.length` bytes (1, 2, 4 or 8) at the fd's `offset`: 0 or -errno. */
  read(offset: number, into: Uint8Array): number
  write(offset: number, from: Uint8Array): number
}

export type MakeDriver = (kernel: Kernel) => Driver
