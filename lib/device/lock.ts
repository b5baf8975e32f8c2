// SPDX-License-Identifier: Apache-2.0
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { loadAddon } from '../backend/native.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import type { Device } from './device.ts'

/** Where Linux has the lock files of devices. */
const directory = '/run/lock'

/** That nobody else who asks for it drives the device. */
export interface DeviceLock {
  /** The file that is locked; undefined for a device that has none. */
  readonly path: string | undefined
  /** Idempotent. The file stays: who removes it takes it away from under another's lock. */
  release(): void
}

type Lockable = Pick<Device, 'name' | 'via'>

/**
 * Takes the one lock that there is for a device on this machine, whoever opens it and however: an flock(2) on
 * `/run/lock/vfio-migrate-<PCI address or mdev UUID>.lock`. It keeps out those who ask for it, and nobody else. It is
 * let go by `release()`, or by the kernel when this process has really ended: a call that firmware keeps in the kernel
 * holds it for as long, so that nobody meets the device in the middle of an arc.
 *
 * A lent fd that does not tell its device, a mock, and a backend of another kind have no lock: nothing is taken for them.
 * @throws VfioError ERR_VFIO_LOCKED when somebody has it, in this process or another. VfioSystemError when the file cannot
 *   be made.
 */
export async function lockDevice(device: Lockable): Promise<DeviceLock> {
  return await lockIn(directory, device)
}

/** @internal */
export async function lockIn(directory: string, device: Lockable): Promise<DeviceLock> {
  if (device.via === 'backend' || device.name.startsWith('fd:'))
    return { path: undefined, release: () => undefined }
  const path = join(directory, `vfio-migrate-${device.name}.lock`)
  const { result, lock } = loadAddon().lockFile(path)
  if (lock !== undefined) return { path, release: () => lock.release() }
  if (result === -errno.EAGAIN) throw locked(device, path, await holderOf(path))
  throw new VfioSystemError(
    result,
    { syscall: 'open', path },
    { device: device.name, remedy: `The lock is ${path}: ${remedyFor(-result, directory)}` },
  )
}

function locked({ name }: Lockable, path: string, pid: number | undefined): VfioError {
  const who = pid === process.pid ? 'this process' : pid === undefined ? 'a process' : `process ${pid}`
  return new VfioError(
    'ERR_VFIO_LOCKED',
    `'${name}' is in use: ${who} has locked ${path}. Wait for it, or end it; a killed process has it until its last call in the kernel has ended`,
    { device: name },
  )
}

function remedyFor(problem: number, directory: string): string {
  if (problem === errno.ENOENT)
    return `there is no directory ${directory}. As root: mkdir -m 1777 ${directory}`
  if (problem === errno.EACCES)
    return `uid ${process.getuid?.()} may not write there. Run as root, or as root: chmod 1777 ${directory}`
  if (problem === errno.EROFS) return `${directory} is mounted read-only. Mount a tmpfs there`
  return `see what is there, and remove what is no plain file`
}

/** The process that has locked the file, where /proc/locks shows it: not one of another pid namespace. */
async function holderOf(path: string): Promise<number | undefined> {
  try {
    const file = fileInLocks(await stat(path))
    const lines = (await readFile('/proc/locks', 'utf8')).split('\n')
    const words = lines
      .map(line => line.split(/\s+/))
      .find(words => words[1] === 'FLOCK' && words[5] === file)
    return Number(words?.[4]) || undefined
  } catch {
    return undefined
  }
}

/** As /proc/locks has it: the device's numbers in hexadecimal, the inode in decimal. */
function fileInLocks({ dev, ino }: { dev: number; ino: number }): string {
  const major = (dev >> 8) & 0xfff
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00)
  return [hexadecimal(major), hexadecimal(minor), ino].join(':')
}

const hexadecimal = (number: number): string => number.toString(16).padStart(2, '0')
