// SPDX-License-Identifier: Apache-2.0

/** Bytes of a page; the last one of a state is as long as the rest. */
export const pageBytes = 4096
const golden = 0x9e3779b9

/** The finalizer of MurmurHash3: u32 to u32, one to one. */
export function fmix(x: number): number {
  x ^= x >>> 16
  x = Math.imul(x, 0x85ebca6b)
  x ^= x >>> 13
  x = Math.imul(x, 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

export const low32 = (value: bigint): number => Number(BigInt.asUintN(32, value))
export const high32 = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n))

/** What all pages of one state have in common. */
export interface Identity {
  readonly seedLow: number
  readonly seedHigh: number
}

export function identityOf(seed: bigint): Identity {
  return { seedLow: low32(seed), seedHigh: high32(seed) }
}

function base(page: number, version: number, { seedLow, seedHigh }: Identity): number {
  return fmix(fmix(fmix(fmix(page + golden) ^ version) ^ seedLow) ^ seedHigh)
}

/** Writes `count` words of a page into `words` from `at` on. */
export function fillPage(
  words: Uint32Array,
  at: number,
  count: number,
  page: number,
  version: number,
  identity: Identity,
): void {
  words[at] = page
  words[at + 1] = version
  let word = (base(page, version, identity) + 2 * golden) | 0
  for (let k = at + 2; k < at + count; k++) {
    words[k] = word
    word = (word + golden) | 0
  }
}

/** Whether the words are those of the page that the first two name. */
export function isPage(words: Uint32Array, at: number, count: number, identity: Identity): boolean {
  let word = (base(words[at] ?? 0, words[at + 1] ?? 0, identity) + 2 * golden) | 0
  let difference = 0
  for (let k = at + 2; k < at + count; k++) {
    difference |= (words[k] ?? 0) ^ word
    word = (word + golden) | 0
  }
  return difference === 0
}

/** Where the device writes its beats, and the MSI-X vector that it raises then. */
export interface Window {
  readonly iova: bigint
  readonly vector: number
}

export const noWindow: Window = { iova: 0n, vector: 0xffffffff }

/** Pages that were written, all of them in one stretch that may go over the end of the working set. */
export interface Stretch {
  readonly first: number
  readonly count: number
}

/** The internal state of a device: an identity, an epoch, and which epoch last wrote each page. */
export class DeviceState {
  /** Bytes. */
  readonly size: number
  /** The version of each page: the epoch after the step that last wrote it, modulo 2^32; 0 for never. */
  readonly versions: Uint32Array
  readonly #ownSeed: bigint
  seed: bigint
  /** Steps of the workload that this state has seen. */
  epoch = 0n
  window: Window = noWindow

  constructor(size: number, seed: bigint) {
    this.size = size
    this.versions = new Uint32Array(Math.ceil(size / pageBytes))
    this.seed = this.#ownSeed = seed
  }

  get pages(): number {
    return this.versions.length
  }

  /** Blank: what a function-level reset leaves. */
  reset(): void {
    this.seed = this.#ownSeed
    this.epoch = 0n
    this.window = noWindow
    this.versions.fill(0)
  }

  /**
   * `steps` steps of the workload: step k writes page k mod `workingSet`. Of more than one round only the last leaves
   * traces, so that only that one is made.
   */
  run(steps: number, workingSet: number): Stretch {
    const count = Math.min(steps, workingSet)
    this.epoch += BigInt(steps - count)
    const first = Number(this.epoch % BigInt(workingSet))
    let version = low32(this.epoch)
    for (let step = 0, page = first; step < count; step++) {
      this.versions[page] = ++version
      page = page + 1 === workingSet ? 0 : page + 1
    }
    this.epoch += BigInt(count)
    return { first, count }
  }

  /** 64 bits over all that the state is made of, as 16 hexadecimal digits. Equal digests mean equal bytes. */
  digest(): string {
    let a = 0x811c9dc5
    let b = 0x9747b28c
    const take = (item: number): void => {
      a = fmix(a ^ item)
      b = fmix((b + Math.imul(item, 0x9e3779b1) + 1) | 0)
    }
    for (const value of [BigInt(this.size), this.seed, this.epoch]) {
      take(low32(value))
      take(high32(value))
    }
    for (const version of this.versions) take(version)
    return hex(a) + hex(b)
  }
}

const hex = (word: number): string => word.toString(16).padStart(8, '0')
