// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { parseMockName } from '#lib/mock/mock_name.js'
import { resolveOptions } from '#lib/mock/options.js'

const resolved = (name: string): ReturnType<typeof resolveOptions> => resolveOptions(parseMockName(name))

describe('a mock that is named', () => {
  it('is as it is unless told when nothing follows', () => {
    assert.deepEqual({ ...parseMockName('mock:') }, {})
  })

  it('has the options of a MockDevice under the same names', () => {
    const options = resolved(
      'mock:size=64MiB,dirty=20MiB/s,flavour=mlx5,kernel=6.12,name=a,seed=0xff,origin=lent',
    )
    assert.deepEqual([options.size, options.dirty], [64 * 1024 ** 2, 20 * 1024 ** 2])
    assert.deepEqual([options.flavour.name, options.kernel, options.name], ['mlx5', '6.12', 'a'])
    assert.deepEqual([options.seed, options.origin], [255n, 'lent'])
  })

  it('has dots in the names of what is part of another', () => {
    const text =
      'mock:latency.SAVE=5ms,latency.LOAD=1,bandwidth.load=1GiB/s,capabilities.preCopy=false,dmaLog.maxRanges=2'
    const { latency, bandwidth, capabilities, dmaLog } = resolved(text)
    assert.deepEqual([latency.SAVE, latency.LOAD, latency.QUERY], [5, 1, 0])
    assert.deepEqual([bandwidth.load, capabilities.preCopy, dmaLog.maxRanges], [1024 ** 3, false, 2])
  })

  it('has faults, one after the other', () => {
    const text = 'mock:fault=SAVE:2:EIO,fault=LOAD:status=0x9,fault=QUERY:1:hold,fault=STREAM:flip=12'
    assert.deepEqual(resolved(text).faults, [
      { on: 'SAVE', nth: 2, errno: 'EIO' },
      { on: 'LOAD', status: 9 },
      { on: 'QUERY', nth: 1, hold: true },
      { on: 'STREAM', flip: 12 },
    ])
    assert.deepEqual(resolved('mock:flavour=mtty,fault=RUNNING->RUNNING_P2P:EIO').faults, [
      { on: 'RUNNING->RUNNING_P2P', errno: 'EIO' },
    ])
  })

  describe('is refused', () => {
    const cases: [title: string, name: string, kind: typeof TypeError | typeof RangeError, message: RegExp][] = [
      ['with a word that is no option', 'mock:64MiB', TypeError, /'64MiB' in 'mock:64MiB' is no option=value/],
      ['with an option that there is not', 'mock:sise=1', TypeError, /'sise'.*none of that name/],
      ['with a clock, which is no text', 'mock:clock=virtual', TypeError, /'clock'.*no VirtualClock/],
      ['with an option that is there twice', 'mock:size=1KiB,size=2KiB', RangeError, /'size' of a mock is there twice/],
      ['with a part of what has no parts', 'mock:size=1KiB,size.x=1', RangeError, /'size\.x'/],
      ['with a truth of another word', 'mock:reinit=yes', TypeError, /'reinit'.*neither true nor false/],
      ['with a seed that is no number', 'mock:seed=x', TypeError, /'seed'.*whole number/],
      ['with a fault that does nothing', 'mock:fault=SAVE', TypeError, /'faults\.0'.*nothing is to happen at SAVE/],
      ['with a name that every object has', 'mock:__proto__.x=1', TypeError, /mock/],
      ['with a name of no mock', 'mick:', TypeError, /names no mock/],
    ] // prettier-ignore
    for (const [title, name, kind, message] of cases) {
      it(title, () => {
        assert.throws(
          () => resolved(name),
          error => error instanceof kind && message.test(error.message),
        )
        assert.equal(({} as { x?: unknown }).x, undefined)
      })
    }
  })
})
