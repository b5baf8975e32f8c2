// SPDX-License-Identifier: Apache-2.0

/*
 * The kernel's numbers, written down once more: the contract takes no expected value from the library that it judges.
 * Source: enum vfio_device_mig_state and the feature numbers of vfio.h; errno.h.
 */

export const stateNumbers = {
  ERROR: 0,
  STOP: 1,
  RUNNING: 2,
  STOP_COPY: 3,
  RESUMING: 4,
  RUNNING_P2P: 5,
  PRE_COPY: 6,
  PRE_COPY_P2P: 7,
} as const

export type State = keyof typeof stateNumbers

export const states = Object.keys(stateNumbers) as State[]

/** What a device reports in VFIO_DEVICE_FEATURE_MIGRATION. */
export const flag = { STOP_COPY: 1, P2P: 2, PRE_COPY: 4 } as const

/** The states that a device goes to when it is told to, and the flags without which it has none of the name. */
export const stateFlags: readonly (readonly [State, flags: number])[] = [
  ['RUNNING', 0],
  ['STOP', 0],
  ['STOP_COPY', 0],
  ['RESUMING', 0],
  ['RUNNING_P2P', flag.P2P],
  ['PRE_COPY', flag.PRE_COPY],
  ['PRE_COPY_P2P', flag.P2P | flag.PRE_COPY],
]

/** Those that a device with these flags has. */
export const statesWith = (flags: number): State[] =>
  stateFlags.filter(([, needed]) => (flags & needed) === needed).map(([state]) => state)

export const feature = {
  MIGRATION: 1,
  MIG_DEVICE_STATE: 2,
  DMA_LOGGING_START: 6,
  DMA_LOGGING_STOP: 7,
  DMA_LOGGING_REPORT: 8,
  MIG_DATA_SIZE: 9,
  MIG_PRECOPY_INFOv2: 12,
} as const

/** Operation bits of the feature word. */
export const [GET, SET] = [0x10000, 0x20000]

const errnos = {
  EPERM: 1,
  EINTR: 4,
  EIO: 5,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EFAULT: 14,
  EBUSY: 16,
  EMFILE: 24,
  ENODEV: 19,
  EINVAL: 22,
  ENOTTY: 25,
  ESPIPE: 29,
  ENOMSG: 42,
  ENOLINK: 67,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECANCELED: 125,
} as const

export type Errno = keyof typeof errnos

const errnoNames = new Map<number, string>(Object.entries(errnos).map(([name, number]) => [number, name]))

/** What a call answered, so that an assertion can be read: the number, or the name of the errno. */
export function said(answer: number): number | string {
  return answer >= 0 ? answer : (errnoNames.get(-answer) ?? `errno ${-answer}`)
}

/** The number behind the name. */
export function errnoNumber(name: Errno): number {
  return errnos[name]
}
