// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream'
import { VfioError, VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'

/** A read(2) of the data_fd has failed. */
export function readFailure(device: string, result: number): VfioSystemError {
  const remedy =
    result === -errno.ENODEV
      ? 'The session is over: the device was reset, its last image failed in firmware, or another process moved it on. Ask state(); if it is still in the saving group only reset() or close() help'
      : undefined
  return new VfioSystemError(result, { syscall: 'read' }, { device, recovery: 'reset', remedy })
}

/** Two would get a part each. */
export function busy(device: string, operation: string): VfioError {
  const text = `'${device}': ${operation} is refused while somebody else reads the saving stream`
  return new VfioError('ERR_VFIO_BUSY', text, { device })
}

/** Somebody waits for what will not come. */
export function streamDestroyed(device: string): VfioError {
  return new VfioError('ERR_VFIO_SESSION_ENDED', `'${device}': the saving stream was destroyed`)
}

/** Where somebody listens to one of these a failure can be told. */
const hearsOfIt: ReadonlySet<string | symbol> = new Set(['data', 'readable', 'error'])

/** Once it can be told: as an event that nobody hears an error would end the process. */
export function destroyWhenHeard(stream: Readable, failure: Error): void {
  const onListener = (event: string | symbol): void => {
    if (!hearsOfIt.has(event)) return
    stream.off('newListener', onListener)
    queueMicrotask(() => stream.destroy(failure))
  }
  stream.on('newListener', onListener)
}
