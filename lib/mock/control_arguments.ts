// SPDX-License-Identifier: Apache-2.0

/** What a caller gives to a mock beside the seam. A mistake there is told as one in an option is: by its name, at once. */
function refuse(name: string, why: string, Refusal: new (message: string) => Error): never {
  throw new Refusal(`${name}: ${why}`)
}

const uint64End = 2n ** 64n

/** Steps that an epoch of 64 bits has room for. */
export function checkSteps(steps: unknown, epoch: bigint): asserts steps is number {
  if (typeof steps !== 'number') refuse('steps', `it is ${kindOf(steps)}, not a number`, TypeError)
  if (!Number.isSafeInteger(steps) || steps < 0)
    refuse('steps', `it is ${steps}, not a whole number from 0`, RangeError)
  if (epoch + BigInt(steps) >= uint64End)
    refuse('steps', `${steps} more lead from epoch ${epoch} out of 64 bits`, RangeError)
}

export function checkIova(iova: unknown): asserts iova is bigint {
  if (typeof iova !== 'bigint') refuse('iova', `it is ${kindOf(iova)}, not a bigint`, TypeError)
  if (iova < 0n || iova >= uint64End) refuse('iova', `it is ${iova}, not one of 64 bits`, RangeError)
}

/** Milliseconds from `now` to a moment that comes. */
export function checkDuration(ms: unknown, name: string, now: number): asserts ms is number {
  if (typeof ms !== 'number') refuse(name, `it is ${kindOf(ms)}, not a number of milliseconds`, TypeError)
  if (!Number.isFinite(now + ms)) refuse(name, `it is ${ms}: that moment never comes`, RangeError)
}

/** Of a Unix socket: a number would be a port. */
export function checkPath(path: unknown): asserts path is string {
  if (typeof path !== 'string') refuse('path', `it is ${kindOf(path)}, not a path`, TypeError)
  if (path === '' || path.includes('\0')) refuse('path', 'it is empty, or has a NUL', TypeError)
}

const maxSideBytes = 2 ** 20

export function checkSideData(bytes: unknown): asserts bytes is Uint8Array {
  if (!(bytes instanceof Uint8Array))
    refuse('sideData', `it is ${kindOf(bytes)}, not a Uint8Array`, TypeError)
  if (bytes.length > maxSideBytes) refuse('sideData', `${bytes.length} bytes are more than 1 MiB`, RangeError)
}

export function checkObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse(name, `it is ${kindOf(value)}, not an object`, TypeError)
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
