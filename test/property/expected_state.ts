// SPDX-License-Identifier: Apache-2.0
// A second way of computing what docs/firmware-model.md says: written from the page, sharing nothing with lib/mock.

const mask = 0xffff_ffffn

function mix(value: bigint): bigint {
  let x = value & mask
  x ^= x >> 16n
  x = (x * 0x85eb_ca6bn) & mask
  x ^= x >> 13n
  x = (x * 0xc2b2_ae35n) & mask
  return x ^ (x >> 16n)
}

/** A state after `epoch` steps of a workload from a reset, with one working set all the while. */
export interface Worked {
  readonly size: number
  readonly workingSet: number
  readonly seed: bigint
  readonly epoch: bigint
}

/** The step before `epoch` that was the last to write `page`, as a version; 0 where there was none. */
function version(page: bigint, pages: bigint, epoch: bigint): bigint {
  if (page >= pages || page >= epoch) return 0n
  const rounds = (epoch - 1n - page) / pages
  return (page + rounds * pages + 1n) & mask
}

/** The digest of such a state. */
export function expectedDigest({ size, workingSet, seed, epoch }: Worked): string {
  const pages = BigInt(Math.ceil(size / 4096))
  const working = BigInt(Math.ceil(workingSet / 4096))
  const words = [BigInt(size), seed, epoch].flatMap(value => [value & mask, value >> 32n])
  for (let page = 0n; page < pages; page++) words.push(version(page, working, epoch))
  let a = 0x811c_9dc5n
  let b = 0x9747_b28cn
  for (const word of words) {
    a = mix(a ^ word)
    b = mix(b + word * 0x9e37_79b1n + 1n)
  }
  return [a, b].map(half => half.toString(16).padStart(8, '0')).join('')
}
