// SPDX-License-Identifier: Apache-2.0

/**
 * Linux errno numbers with their names and the kernel's meaning. libuv's table lacks some that VFIO answers
 * (ENOMSG, EREMOTEIO, EBADFD), so ours is complete for every errno of `kernel-api`'s generic list that a driver here uses,
 * and has those of the files, pipes and sockets that a state goes to or comes from.
 * Source: asm-generic/errno-base.h and errno.h; the numbers are the same on x86-64 and arm64.
 */
const table = {
  EPERM: [1, 'operation not permitted'],
  ENOENT: [2, 'no such file or directory'],
  EINTR: [4, 'interrupted system call'],
  EIO: [5, 'input/output error'],
  ENXIO: [6, 'no such device or address'],
  E2BIG: [7, 'argument list too long'],
  EBADF: [9, 'bad file descriptor'],
  EAGAIN: [11, 'resource temporarily unavailable'],
  ENOMEM: [12, 'cannot allocate memory'],
  EACCES: [13, 'permission denied'],
  EFAULT: [14, 'bad address'],
  EBUSY: [16, 'device or resource busy'],
  EEXIST: [17, 'file exists'],
  ENODEV: [19, 'no such device'],
  ENOTDIR: [20, 'not a directory'],
  EISDIR: [21, 'is a directory'],
  EINVAL: [22, 'invalid argument'],
  ENFILE: [23, 'too many open files in system'],
  EMFILE: [24, 'too many open files'],
  ENOTTY: [25, 'inappropriate ioctl for device'],
  EFBIG: [27, 'file too large'],
  ENOSPC: [28, 'no space left on device'],
  ESPIPE: [29, 'illegal seek'],
  EROFS: [30, 'read-only file system'],
  EPIPE: [32, 'broken pipe'],
  ERANGE: [34, 'numerical result out of range'],
  ENOSYS: [38, 'function not implemented'],
  ELOOP: [40, 'too many levels of symbolic links'],
  ENOMSG: [42, 'no message of desired type'],
  ENODATA: [61, 'no data available'],
  ENOLINK: [67, 'link has been severed'],
  EPROTO: [71, 'protocol error'],
  EOVERFLOW: [75, 'value too large for defined data type'],
  EBADFD: [77, 'file descriptor in bad state'],
  EDESTADDRREQ: [89, 'destination address required'],
  EMSGSIZE: [90, 'message too long'],
  EOPNOTSUPP: [95, 'operation not supported'],
  ENETDOWN: [100, 'network is down'],
  ENETUNREACH: [101, 'network is unreachable'],
  ECONNRESET: [104, 'connection reset by peer'],
  ENOBUFS: [105, 'no buffer space available'],
  ENOTCONN: [107, 'transport endpoint is not connected'],
  ETIMEDOUT: [110, 'connection timed out'],
  EHOSTUNREACH: [113, 'no route to host'],
  EALREADY: [114, 'operation already in progress'],
  ESTALE: [116, 'stale file handle'],
  EREMOTEIO: [121, 'remote I/O error'],
  EDQUOT: [122, 'disk quota exceeded'],
  ECANCELED: [125, 'operation canceled'],
} as const

/** The name of an errno that the table knows. */
export type ErrnoName = keyof typeof table

/** Errno numbers by name, positive as in errno.h. */
export const errno: Readonly<Record<ErrnoName, number>> = Object.fromEntries(
  Object.entries(table).map(([name, [number]]) => [name, number]),
) as Record<ErrnoName, number>

const byNumber = new Map<number, ErrnoName>(
  Object.entries(table).map(([name, [number]]) => [number, name as ErrnoName]),
)

/** `'ENOTTY'` for 25 and for -25; `'E<number>'` for one that no driver here is known to answer. */
export function errnoName(number: number): string {
  return byNumber.get(Math.abs(number)) ?? `E${Math.abs(number)}`
}

/** The kernel's words for an errno, of either sign. */
export function errnoText(number: number): string {
  const name = byNumber.get(Math.abs(number))
  return name === undefined ? 'unknown error' : table[name][1]
}
