// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { faultText, parseFault } from '#lib/mock/fault_text.js'
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

  it('writes its faults as it reads them', () => {
    for (const text of [
      'SAVE:2:EIO',
      'LOAD:status=9',
      'QUERY:1:hold',
      'STREAM:flip=12:cut=40',
      'TRACKER',
      'SAVE:EIO:hold:reset',
    ])
      assert.equal(faultText(parseFault(text)), text)
  })

  describe('is refused', () => {
    const cases: [title: string, name: string, kind: typeof TypeError | typeof RangeError, message: RegExp][] = [
      ['with a word that is no option', 'mock:64MiB', TypeError, /'64MiB' in 'mock:64MiB' is no option=value/],
      ['with an option that there is not', 'mock:sise=1', TypeError, /'sise'.*none of that name/],
      ['with a clock, which is no text', 'mock:clock=virtual', TypeError, /'clock'.*none of that name/],
      ['with faults by the name that they have in the library', 'mock:faults=1', TypeError, /'faults'.*There are: .*, fault$/],
      ['with a part that there is not', 'mock:latency.SEVE=1', TypeError, /'latency\.SEVE'.*There are: latency\.SUSPEND_INITIATOR, /],
      ['with an option that is made of parts', 'mock:latency=5ms', TypeError, /'latency'.*There are: latency\.SUSPEND_INITIATOR, /],
      ['with a name that every object inherits', 'mock:__proto__=1', TypeError, /'__proto__' of a mock: there is none of that name/],
      ['with a name that every function has', 'mock:constructor=1', TypeError, /'constructor' of a mock: there is none/],
      ['with a line break in its name', 'mock:name=a\nb', RangeError, /'name'.*control character.*Give one that is a line/],
      ['with a seed below 0', 'mock:seed=-1', TypeError, /'seed'.*Give one, for instance 42$/],
      ['with a size in units of 1000', 'mock:size=1MB', TypeError, /'size'.*64MiB\. Units are B, KiB, MiB, GiB, TiB$/],
      ['with an option that is there twice', 'mock:size=1KiB,size=2KiB', RangeError, /'size' of a mock: it is there twice/],
      ['with a part of what has no parts', 'mock:size=1KiB,size.x=1', TypeError, /'size\.x'/],
      ['with a truth of another word', 'mock:reinit=yes', TypeError, /'reinit'.*neither true nor false/],
      ['with a seed that is no number', 'mock:seed=x', TypeError, /'seed'.*whole number/],
      ['with a fault at half a time', 'mock:fault=SAVE:1.5:EIO', TypeError, /'fault=SAVE:1\.5:EIO'.*fault\.nth: '1\.5' is no whole number/],
      ['with a fault at no time', 'mock:fault=SAVE:x:EIO', TypeError, /fault\.nth: 'x' is no whole number from 1/],
      ['with a fault at two times', 'mock:fault=SAVE:1:EIO:7', TypeError, /fault\.nth: it is there twice/],
      ['with a fault whose time is behind it', 'mock:fault=SAVE:EIO:7', TypeError, /fault\.nth: 7 is behind what happens.*SAVE:7:…/],
      ['with a fault at time 0', 'mock:fault=SAVE:0:EIO', TypeError, /fault\.nth: it is 0, not a whole number from 1/],
      ['with a fault of two errnos', 'mock:fault=SAVE:EIO:EINVAL', TypeError, /fault\.errno: it is there twice/],
      ['with a fault that holds twice', 'mock:fault=SAVE:hold:hold', TypeError, /fault\.hold: it is there twice/],
      ['with a fault of no errno', 'mock:fault=SAVE:1:eio', TypeError, /fault\.errno: 'eio' is nothing that happens/],
      ['with a fault of an errno that there is not', 'mock:fault=SAVE:1:EOI', TypeError, /fault\.errno: it is EOI, not the name of an errno/],
      ['with a fault of a field that there is not', 'mock:fault=SAVE:1:delay=5', TypeError, /fault\.errno: 'delay=5' is nothing/],
      ['with a fault that is cut off', 'mock:fault=SAVE:1:', TypeError, /fault\.errno: '' is nothing/],
      ['with a fault of a status that is none', 'mock:fault=SAVE:status=x', TypeError, /fault\.status: it is x, not a whole number/],
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
