// SPDX-License-Identifier: Apache-2.0
import type { DeviceCalls } from '#lib/backend/seam.js'
import type { Errno } from './numbers.ts'

/** Whose manners a device has; 'none' is one that does not migrate, 'other' one of a driver that nothing is known of. */
export type Flavour = 'mlx5' | 'virtio' | 'hisi_acc' | 'qat' | 'pds' | 'xe' | 'mtty' | 'none' | 'other'

/** Whose semantics a kernel has. */
export type KernelSeries = '6.12' | '7.2'

/** The commands of the simulated firmware (docs/firmware-model.md). */
export type Command =
  | 'SUSPEND_INITIATOR'
  | 'SUSPEND_RESPONDER'
  | 'RESUME_INITIATOR'
  | 'RESUME_RESPONDER'
  | 'QUERY'
  | 'SAVE'
  | 'LOAD'

/** A command that stays where it is until it is released. */
export interface Held {
  /** Settles when the command is being executed. */
  reached(): Promise<void>
  release(): Promise<void>
}

/** What one rule wants of its device. */
export interface Setup {
  /** Bytes of the device's state, in KiB; 64 unless told. */
  readonly sizeKiB?: number
  /** Bytes that the firmware gives out in one chunk; no chunks unless told. */
  readonly chunkBytes?: number
}

/** What an ioctl answered, and what was behind its pointer afterwards. */
export interface IoctlAnswer {
  readonly result: number
  readonly bytes: Uint8Array
}

/** Raw system calls on the one data_fd that the process has open: what the seam hides. Each answers a number or -errno. */
export interface RawDataFd {
  /** Where its link in /proc/self/fd leads. */
  readonly link: string
  /** How it was opened, and is: O_ACCMODE and other flags of open(2). */
  readonly openFlags: number
  lseek(): Promise<number>
  pread(): Promise<number>
  pwrite(): Promise<number>
  epollAdd(): Promise<number>
  spliceOut(): Promise<number>
  /** Without bytes: with a null pointer. */
  ioctl(request: number, bytes?: Uint8Array): Promise<IoctlAnswer>
  write(bytes: Uint8Array): Promise<number>
  /** read(2) with O_NONBLOCK off: `reached` when it was about to be called. */
  blockingRead(maxBytes: number): { reached: Promise<void>; result: Promise<number> }
}

/** A second fd of a device, in another process or adopted: what is asked of it waits behind nothing that the first does. */
export interface SecondFd {
  flags(): Promise<number>
  getState(): Promise<number>
  /** A data_fd that comes of it is closed. */
  setState(state: number): Promise<number>
  reset(): Promise<number>
  close(): Promise<void>
}

/** A second fd where the calls of the seam can be had for it. */
export const secondFd = (calls: DeviceCalls): SecondFd => ({
  flags: () => calls.migrationFlags(),
  getState: () => calls.getState(),
  async setState(state) {
    const { result, session } = await calls.setStates([state])
    await session?.close()
    return result
  },
  reset: () => calls.reset(),
  close: () => calls.close(),
})

/** What a test can do to a device behind the kernel's back. Each is there when `Subject.controls` names it. */
export interface Controls {
  /** The nth execution of the command from now ends with this firmware status. */
  failStatus(command: Command, status: number, nth?: number): Promise<void>
  /** The nth execution of the command from now ends with this errno, which the firmware has no part in. */
  failErrno(command: Command, errno: Errno, nth?: number): Promise<void>
  /** The next execution of the command. */
  hold(command: Command): Promise<Held>
  /** Settles when a question for precopy info waits in the driver for a SAVE that is held, with the state mutex taken. */
  questionWaits(): Promise<void>
  /** The device writes so many pages that no image since the last one has seen. */
  dirty(pages: number): Promise<void>
  /** The device starts over: the next increment is a whole new initial image. */
  reinit(): Promise<void>
  /** The PF takes its virtual function away, and gives it back. */
  detach(): Promise<void>
  attach(): Promise<void>
  /** A number that stands for the whole state. */
  digest(): Promise<string>
  /** The device writes by DMA into the pages 0 to `pages` - 1 of its address space. */
  dma(pages: number): Promise<void>
  /** The DMA log breaks when it is asked next. */
  breakLog(): Promise<void>
  /** A second fd of the same device. */
  another(): Promise<SecondFd>
  /** The device once more, after its last fd was closed. */
  reopen(): Promise<DeviceCalls>
  /** One SET by somebody who has no fd to spare. */
  setWithoutFd(state: number): Promise<number>
  /** One SET whose answer cannot be written back. */
  setReadOnly(state: number): Promise<number>
  /** The adapter recovers from a failure of its own, before the next arc. */
  recoverAdapter(): Promise<void>
  /** What poll(2) says of the one data_fd: revents, of all that can be asked for. */
  poll(): Promise<number>
  raw(): RawDataFd
  /** A raw ioctl on the device fd. */
  rawDevice(request: number, bytes?: Uint8Array): Promise<IoctlAnswer>
}

/** `image`, `chunks`: `Setup` has a say. `regions`: they are the driver's own. */
export type Control = keyof Controls | 'image' | 'chunks' | 'regions'

/** A device as a subject hands it out. */
export interface Handle {
  readonly calls: DeviceCalls
  readonly controls: Partial<Controls>
  /** Ends everything that is held, closes what is open, and takes the device away. */
  dispose(): Promise<void>
}

/** Something that claims to behave as the kernel does. */
export interface Subject {
  readonly title: string
  /** What a rule that holds here is evidence of; undefined for a stand-in. */
  readonly real: 'mtty' | 'mlx5' | 'core' | undefined
  readonly flavour: Flavour
  readonly kernel: KernelSeries
  /** What VFIO_DEVICE_FEATURE_MIGRATION answers; 0 for a device that does not migrate. */
  readonly flags: number
  readonly logging: boolean
  readonly controls: ReadonlySet<Control>
  /** What a rule may ask for in vain: a rule that asks for anything else that is not there is missing here. */
  readonly lacks: ReadonlySet<Control>
  /** A fresh device in RUNNING. */
  open(setup: Setup): Promise<Handle>
  /** Takes away what its devices stood on. */
  close?(): Promise<void>
}
