// SPDX-License-Identifier: Apache-2.0
import { isVfioError } from 'vfio-migrate'

/** What an operation may come to when another one of the same device, or the fake kernel, was in its way. */
const inTheWay: ReadonlySet<unknown> = new Set([
  ...['ERR_VFIO_BUSY', 'ERR_VFIO_CLOSED', 'ERR_VFIO_NO_PATH', 'ERR_VFIO_NO_SESSION', 'ERR_VFIO_POISONED'],
  ...['ERR_VFIO_LOAD_FAILED', 'ERR_VFIO_SESSION_ENDED', 'ERR_VFIO_STATE_MOVED', 'ERR_VFIO_STREAM_DESTROYED'],
])
const answers: ReadonlySet<unknown> = new Set([
  'EBADF',
  'ECANCELED',
  'EFAULT',
  'EINVAL',
  'EIO',
  'ENODEV',
  'ENOMEM',
])
const ofStreams: ReadonlySet<unknown> = new Set([
  ...['ABORT_ERR', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_WRITE_AFTER_END'],
])

export function isInTheWay(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false
  return isVfioError(error) ? inTheWay.has(error.code) || answers.has(error.code) : ofStreams.has(error.code)
}
