// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { DeviceState, fillPage, fmix, identityOf, isPage } from '#lib/mock/state.js'

const seed = 0x0123456789abcdefn

/** Words of a page, as the model has them. */
function page(number: number, version: number, ofSeed: bigint): Uint32Array {
  const words = new Uint32Array(1024)
  fillPage(words, 0, words.length, number, version, identityOf(ofSeed))
  return words
}

const some = (words: Uint32Array): string[] => [0, 1, 2, 3, 1023].map(k => (words[k] ?? 0).toString(16))

// Expected values: a program of a dozen lines after docs/firmware-model.md, in another language.
describe("a simulated device's state", () => {
  it('mixes as the model says', () => {
    assert.deepEqual(
      [0, 1, 2, 0xdeadbeef].map(x => fmix(x).toString(16)),
      ['0', '514e28b7', '30f4c306', 'de5c6a9'],
    )
  })

  it('derives a page from its number, its version and the seed', () => {
    assert.deepEqual(some(page(0, 0, 0n)), ['0', '0', '744c6a74', '1283e42d', '778ce149'])
    assert.deepEqual(some(page(7, 42, seed)), ['7', '2a', '207a6eac', 'beb1e865', '23bae581'])
  })

  it('knows a page of its own from one with any word changed', () => {
    const words = page(7, 42, seed)
    assert.ok(isPage(words, 0, 1024, identityOf(seed)))
    for (const at of [0, 1, 2, 500, 1023]) {
      const changed = words.slice()
      changed[at] = (changed[at] ?? 0) ^ 0x10
      assert.ok(!isPage(changed, 0, 1024, identityOf(seed)), `word ${at}`)
    }
    assert.ok(!isPage(words, 0, 1024, identityOf(seed ^ 1n)))
  })

  it('has the digest of the model', () => {
    const digestOf = (size: number, ofSeed: bigint, steps: number, workingSet: number): string => {
      const state = new DeviceState(size, ofSeed)
      state.run(steps, workingSet)
      return state.digest()
    }
    assert.equal(digestOf(1024, 1n, 0, 1), 'd497cf4c141492df')
    assert.equal(digestOf(12288, seed, 0, 3), '1b0792ee0e2efa7b')
    assert.equal(digestOf(12288, seed, 5, 3), 'a89bc649db147b5c')
    assert.equal(digestOf(2 ** 20, seed, 1000, 256), '75c61244d3a7944d')
    assert.equal(digestOf(2 ** 20, seed, 1000, 100), 'e775d94eebb9eeb0')
  })

  it('is the same after steps all at once as after one step at a time', () => {
    const [once, often] = [new DeviceState(40960, seed), new DeviceState(40960, seed)]
    once.run(37, 7)
    for (let step = 0; step < 37; step++) often.run(1, 7)
    assert.deepEqual([once.digest(), once.epoch], [often.digest(), 37n])
  })

  it('counts versions modulo 2^32', () => {
    const state = new DeviceState(8192, seed)
    state.epoch = 2n ** 32n - 1n
    state.run(2, 2)
    assert.deepEqual([...state.versions], [1, 0])
    assert.equal(state.epoch, 2n ** 32n + 1n)
  })

  it('is blank and itself again after a reset', () => {
    const state = new DeviceState(12288, seed)
    const blank = state.digest()
    state.run(5, 3)
    state.seed = 7n
    state.reset()
    assert.equal(state.digest(), blank)
  })
})
