// SPDX-License-Identifier: Apache-2.0
import type { ErrnoName } from '../kernel/errno.ts'
import { capabilitiesOf, type Capabilities } from '../kernel/feature.ts'

/** The kernels whose manners a mock can have. */
export const kernelNames = ['6.12', '7.2'] as const
export type KernelName = (typeof kernelNames)[number]

export const flavourNames = ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'xe', 'mtty'] as const
export type FlavourName = (typeof flavourNames)[number]

/**
 * A driver's manners at the data_fd, as a client sees them. Where a field is silent the flavour keeps to vfio.h. Numbers
 * are bytes, flags are those of VFIO_DEVICE_FEATURE_MIGRATION.
 */
export interface Flavour {
  readonly name: FlavourName
  /** The directory in sysfs, as in lib/kernel/drivers.ts. */
  readonly driver: string
  /** `'confirmed'`: by that driver, run on both kernels in a virtual machine. `'read'`: in its source, and run nowhere. */
  readonly evidence: 'confirmed' | 'read'
  /** By kernel. 0: it binds the device and migrates nothing; undefined: that kernel has no such driver. */
  readonly flags: Readonly<Record<KernelName, number | undefined>>
  /** The first release with PRE_COPY. */
  readonly preCopySince: string | undefined
  /** `'firmware'`: where the firmware has it. `'empty'`: the calls succeed and log nothing. */
  readonly dmaLogging: 'firmware' | 'yes' | 'empty' | 'no'
  /** `'records'`: tagged ones. `'struct'`, `'block'`: one piece of fixed length. */
  readonly stream: 'records' | 'struct' | 'block' | 'opaque' | 'packets'
  /** The length of the stream, where it is always the same; `size` is not the caller's to choose then. */
  readonly streamBytes: number | undefined
  /** The largest `size`: an image of it fits into the stream. */
  readonly largestSize: number
  /** What a read in PRE_COPY answers when there is nothing now: an error, or a 0 that is not the end. */
  readonly idle: 'ENOMSG' | 0 | undefined
  /** `'blocks'`: until there is something, or EAGAIN with O_NONBLOCK. `'sleeps'`: whatever O_NONBLOCK says. */
  readonly read: 'blocks' | 'sleeps' | 'never waits'
  /** Its saving fd has a poll handler, and epoll takes it. */
  readonly pollable: boolean
  /** VFIO_DEVICE_FEATURE_MIG_DATA_SIZE: what the firmware says, what is computed, or always this. */
  readonly dataSize: 'firmware' | 'computed' | number
  /** What pre-copy gives, where it is always the same. */
  readonly precopyBytes: number | undefined
  /** How a write behind the end of what fits is answered. `'short'`: what fits is taken, then EINVAL. */
  readonly overCapacity: ErrnoName | 'short' | 'by packet'
  /** How a write of a stream for another device is answered; `'never'`: it is not looked at there. */
  readonly refusal: ErrnoName | 'LOAD' | 'setup' | 'packet' | 'never'
  /** `'dead'`: every later write answers ENODEV. `'again'`: checked again by each. `'forgotten'`: later writes are taken. */
  readonly afterRefusal: 'dead' | 'again' | 'forgotten' | undefined
  /** What RESUMING -> STOP answers to a stream that was cut short. `'LOAD'`: what that command does; 0: it is not noticed. */
  readonly incomplete: ErrnoName | 'LOAD' | 0
  /** What /proc/self/fd/N shows of its data_fd, behind `anon_inode:`. */
  readonly inode: string
}

const STOP_COPY = 1
const P2P = 2
const PRE_COPY = 4

const kibibyte = 1024
const gibibyte = kibibyte ** 3

/** Same on both kernels. */
const both = (flags: number): Flavour['flags'] => ({ '6.12': flags, '7.2': flags })

/*
 * Source: drivers/vfio/pci/{mlx5,virtio,hisilicon,qat,pds,xe} of Linux 6.12 and 7.2, samples/vfio-mdev/mtty.c.
 * hisi_acc takes exactly precopyBytes for a whole stream, too. xe waits 20 s for the end of its stream.
 */
const table: readonly Flavour[] = [
  {
    name: 'mlx5', driver: 'mlx5_vfio_pci', evidence: 'confirmed', inode: 'mlx5vf_mig',
    flags: both(STOP_COPY | P2P | PRE_COPY), preCopySince: '6.2', dmaLogging: 'firmware',
    stream: 'records', streamBytes: undefined, dataSize: 'firmware', precopyBytes: undefined, largestSize: gibibyte,
    idle: 'ENOMSG', read: 'blocks', pollable: true,
    overCapacity: 'ENOMEM', refusal: 'LOAD', afterRefusal: 'dead', incomplete: 0,
  },
  {
    name: 'virtio', driver: 'virtio_vfio_pci', evidence: 'read', inode: 'virtiovf_mig',
    flags: { '6.12': 0, '7.2': STOP_COPY | P2P | PRE_COPY }, preCopySince: '6.13', dmaLogging: 'no',
    stream: 'records', streamBytes: undefined, dataSize: 'firmware', precopyBytes: undefined, largestSize: gibibyte,
    idle: 'ENOMSG', read: 'never waits', pollable: false,
    overCapacity: 'ENOMEM', refusal: 'LOAD', afterRefusal: 'dead', incomplete: 0,
  },
  {
    name: 'hisi_acc', driver: 'hisi_acc_vfio_pci', evidence: 'read', inode: 'hisi_acc_vf_mig',
    flags: both(STOP_COPY | PRE_COPY), preCopySince: '6.2', dmaLogging: 'no',
    stream: 'struct', streamBytes: 176, dataSize: 176, precopyBytes: 40, largestSize: kibibyte,
    idle: 0, read: 'never waits', pollable: false,
    overCapacity: 'ENOMEM', refusal: 'EFAULT', afterRefusal: 'again', incomplete: 'EINVAL',
  },
  {
    name: 'qat', driver: 'qat_vfio_pci', evidence: 'read', inode: 'qat_vf_mig',
    flags: both(STOP_COPY | P2P | PRE_COPY), preCopySince: '6.10', dmaLogging: 'no',
    stream: 'block', streamBytes: 4096, dataSize: 4096, precopyBytes: undefined, largestSize: kibibyte,
    idle: 0, read: 'never waits', pollable: false,
    overCapacity: 'ENOMEM', refusal: 'setup', afterRefusal: 'again', incomplete: 'EINVAL',
  },
  {
    name: 'pds', driver: 'pds_vfio_pci', evidence: 'read', inode: 'pds_vfio_lm',
    flags: both(STOP_COPY | P2P), preCopySince: undefined, dmaLogging: 'yes',
    stream: 'opaque', streamBytes: undefined, dataSize: 65_536, precopyBytes: undefined, largestSize: 63 * kibibyte,
    idle: undefined, read: 'never waits', pollable: false,
    overCapacity: 'short', refusal: 'never', afterRefusal: undefined, incomplete: 'LOAD',
  },
  {
    name: 'xe', driver: 'xe-vfio-pci', evidence: 'read', inode: 'xe_vfio_mig',
    flags: { '6.12': undefined, '7.2': STOP_COPY | P2P }, preCopySince: undefined, dmaLogging: 'no',
    stream: 'packets', streamBytes: undefined, dataSize: 'computed', precopyBytes: undefined, largestSize: gibibyte,
    idle: undefined, read: 'sleeps', pollable: false,
    overCapacity: 'by packet', refusal: 'packet', afterRefusal: 'forgotten', incomplete: 'ETIMEDOUT',
  },
  {
    name: 'mtty', driver: 'mtty', evidence: 'confirmed', inode: 'mtty_mig',
    flags: both(STOP_COPY | P2P | PRE_COPY), preCopySince: '6.7', dmaLogging: 'empty',
    stream: 'struct', streamBytes: 60, dataSize: 60, precopyBytes: 24, largestSize: kibibyte,
    idle: 0, read: 'never waits', pollable: false,
    overCapacity: 'ENOMEM', refusal: 'EFAULT', afterRefusal: 'forgotten', incomplete: 'EINVAL',
  },
] // prettier-ignore

/** Every flavour, in the order of {@link flavourNames}. */
export const flavours: Readonly<Record<FlavourName, Flavour>> = Object.fromEntries(
  table.map(row => [row.name, row]),
) as Record<FlavourName, Flavour>

/** What the driver of a flavour offers on a kernel, where its firmware has everything. */
export function capabilitiesOfFlavour({ flags, dmaLogging }: Flavour, kernel: KernelName): Capabilities {
  const offered = flags[kernel] ?? 0
  return capabilitiesOf(offered, offered !== 0 && dmaLogging !== 'no')
}
