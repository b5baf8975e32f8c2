// SPDX-License-Identifier: Apache-2.0

/** What the addon checks before any call is made, with its words: a mistake there is the caller's code. */
function check(holds: boolean, name: string, expected: string): void {
  if (!holds) throw new TypeError(`${name} must be ${expected}`)
}

const isInteger = (value: unknown, low: number, high: number): boolean =>
  Number.isInteger(value) && Number(value) >= low && Number(value) <= high

function checkSize(value: unknown, name: string, low = 0): void {
  check(isInteger(value, 0, Number.MAX_SAFE_INTEGER), name, 'an integer in range')
  check(Number(value) >= low, name, `at least ${low}`)
}

export function checkUint32(value: unknown, name: string): void {
  check(isInteger(value, 0, 0xffffffff), name, 'an integer in range')
}

function checkUint64(value: unknown, name: string): void {
  check(typeof value === 'bigint' && BigInt.asUintN(64, value) === value, name, 'a bigint of 64 bits')
}

function checkMilliseconds(value: unknown, name: string): void {
  check(typeof value === 'number' && value >= 0, name, 'a number of milliseconds')
}

export function checkBytes(value: unknown, name: string): void {
  check(value instanceof Uint8Array, name, 'a Uint8Array')
}

function checkPairs(value: unknown, name: string): void {
  check(value instanceof BigUint64Array, name, 'a BigUint64Array')
  check((value as BigUint64Array).length % 2 === 0, name, 'pairs of iova and length')
}

export function checkStates(value: unknown): void {
  check(Array.isArray(value), 'states', 'an array')
  const states = value as unknown[]
  check(states.length <= 256, 'states', 'a list of at most 256 states')
  check(
    states.every(state => isInteger(state, 0, 0xffffffff)),
    'states',
    'a list of state numbers',
  )
}

/** Bytes of a region that one call reads or writes at most. */
export const maxRegionBytes: number = 2 ** 24

export function checkRegionRead(offset: unknown, length: unknown, width: unknown): void {
  checkSize(offset, 'offset')
  checkSize(length, 'length')
  checkAccess(width, Number(length), 'length')
}

export function checkRegionWrite(offset: unknown, data: unknown, width: unknown): void {
  checkSize(offset, 'offset')
  checkBytes(data, 'data')
  const { length } = data as Uint8Array
  checkAccess(width, length, 'data')
  check(length <= maxRegionBytes, 'data', 'at most 16 MiB')
}

export function checkProbe(feature: unknown, operations: unknown): void {
  checkUint32(feature, 'feature')
  checkUint32(operations, 'operations')
}

export function checkLogStart(pageSize: unknown, ranges: unknown): void {
  checkSize(pageSize, 'pageSize')
  checkPairs(ranges, 'ranges')
}

export function checkLogReport(iova: unknown, length: unknown, pageSize: unknown): void {
  checkUint64(iova, 'iova')
  checkUint64(length, 'length')
  checkSize(pageSize, 'pageSize')
}

export function checkRead(maxBytes: unknown, waitMs: unknown): void {
  checkSize(maxBytes, 'maxBytes', 1)
  checkMilliseconds(waitMs, 'waitMs')
}

/** An access of `width` bytes each, `length` in all. */
function checkAccess(width: unknown, length: number, name: string): void {
  check(isInteger(width, 1, 8), 'width', 'an integer in range')
  check([1, 2, 4, 8].includes(Number(width)), 'width', '1, 2, 4 or 8')
  check(length % Number(width) === 0, name, 'a multiple of width')
}
