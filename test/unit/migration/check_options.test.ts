// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, type Device } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { checkOptions } from '#lib/migration/check_options.js'
import type { PolicyProgress, Reasoned } from '#lib/migration/progress.js'

type Bad = readonly [what: string, options: Record<string, unknown>, name: string, message: RegExp]

/** The options of a DMA log, of one page unless told. */
function logOf(
  more: Record<string, unknown>,
  ...ranges: (readonly [iova: bigint, length: bigint])[]
): Record<string, unknown> {
  const flat = ranges.length === 0 ? [[0n, 4096n] as const] : ranges
  const dmaLogging = {
    onDirty() {},
    pageSize: 4096,
    ranges: flat.map(([iova, length]) => ({ iova, length })),
  }
  return { dmaLogging: { ...dmaLogging, ...more } }
}

/** As many pages, none beside another. */
function manyRanges(count: number): (readonly [bigint, bigint])[] {
  return Array.from({ length: count }, (_, n) => [BigInt(n) * 8192n, 4096n] as const)
}

const bad: readonly Bad[] = [
  ['a source that is none', { from: undefined }, 'TypeError', /'from'/],
  ['a name in place of a device', { to: '0000:08:00.2' }, 'TypeError', /'to'.*openDevice\(\)/],
  ['a mock that was not opened', { to: new MockDevice() }, 'TypeError', /'to'/],
  ['one that is none among several', { from: [null] }, 'TypeError', /'from'/],
  ['no devices', { from: [], to: [] }, 'TypeError', /at least one: 0 and 0/],
  ['a source without its destination', { to: [] }, 'TypeError', /1 and 0/],
  ['a bandwidth that is none', { bandwidth: '1GiB' }, 'TypeError', /'bandwidth'/],
  ['a bandwidth of 0', { bandwidth: 0 }, 'RangeError', /'bandwidth'/],
  ['a bandwidth of NaN', { bandwidth: NaN }, 'RangeError', /'bandwidth'/],
  ['a downtime that is no number', { downtimeLimitMs: '300' }, 'TypeError', /downtimeLimitMs/],
  ['a downtime of 0', { downtimeLimitMs: 0 }, 'RangeError', /downtimeLimitMs/],
  ['a downtime of NaN', { downtimeLimitMs: NaN }, 'RangeError', /downtimeLimitMs/],
  ['a deadline in the past', { deadlineMs: -1 }, 'RangeError', /deadlineMs/],
  ['no rounds', { maxRounds: 0 }, 'RangeError', /maxRounds/],
  ['half a round', { maxRounds: 1.5 }, 'RangeError', /maxRounds/],
  ['an end that is no word', { onDeadline: 'continue' }, 'TypeError', /onDeadline/],
  ['an overrun that is no word', { onOverrun: 'continue' }, 'TypeError', /onOverrun/],
  ['a stall that is no word', { onStall: 'stop' }, 'TypeError', /onStall/],
  ['a participant that is none', { participant: 3 }, 'TypeError', /participant/],
  ['a moment that is misspelt', { participant: { quiese() {} } }, 'TypeError', /quiese/],
  ['an option that is misspelt', { downtimeLimit: 300 }, 'TypeError', /no option 'downtimeLimit'/],
  ['a policy that is no function', { policy: 'switch' }, 'TypeError', /'policy'/],
  [
    'a policy beside a preset',
    { policy: () => 'switch', maxRounds: 2 },
    'TypeError',
    /'maxRounds' would do nothing/,
  ],
  [
    'a deadline that is none, beside a policy',
    { policy: () => 'switch', deadlineMs: 0 },
    'RangeError',
    /deadlineMs/,
  ],
  ['a DMA log without anybody to tell', { dmaLogging: {} }, 'TypeError', /dmaLogging\.onDirty/],
  [
    'a DMA log of nothing',
    { dmaLogging: { onDirty() {}, pageSize: 4096, ranges: [] } },
    'TypeError',
    /dmaLogging\.ranges/,
  ],
  ['a DMA log without a page size', logOf({ pageSize: '4096' }), 'TypeError', /dmaLogging\.pageSize/],
  ['a DMA log of small pages', logOf({ pageSize: 2048 }), 'RangeError', /power of two from 4096.*2048/],
  ['a DMA log of odd pages', logOf({ pageSize: 12_288 }), 'RangeError', /power of two.*12288/],
  ['a range that begins in a page', logOf({}, [1n, 4096n]), 'RangeError', /\[0\].*pages of 4096 bytes/],
  [
    'a range that ends in a page',
    logOf({ pageSize: 8192 }, [0n, 4096n]),
    'RangeError',
    /\[0\].*pages of 8192 bytes/,
  ],
  ['a range of nothing', logOf({}, [0n, 4096n], [4096n, 0n]), 'RangeError', /\[1\].*no bytes/],
  ['a range below 0', logOf({}, [-4096n, 4096n]), 'RangeError', /\[0\].*64 bits/],
  ['a range behind all addresses', logOf({}, [2n ** 64n - 4096n, 4096n]), 'RangeError', /\[0\].*64 bits/],
  ['ranges that overlap', logOf({}, [8192n, 4096n], [0n, 12_288n]), 'RangeError', /\[1\].*\[0\].*overlap/],
  ['one range twice', logOf({}, [0n, 4096n], [4096n, 4096n], [0n, 4096n]), 'RangeError', /\[2\].*\[0\]/],
  [
    'a range of too many pages',
    logOf({}, [0n, (2n ** 29n + 1n) * 4096n]),
    'RangeError',
    /\[0\].*536870912 pages/,
  ],
  ['too many ranges', logOf({}, ...manyRanges(257)), 'RangeError', /257.*at most 256/],
  ['a listener that is no function', { onProgress: 3 }, 'TypeError', /'onProgress'/],
  ['a signal that is none', { signal: 3 }, 'TypeError', /'signal'/],
  ['a word for what is stuck that is none', { onStuck: 'x' }, 'TypeError', /'onStuck'/],
  ['a precopy that is neither', { precopy: 'no' }, 'TypeError', /'precopy'/],
  ['an override of no rule', { overrides: ['none'] }, 'TypeError', /no rule 'none'/],
  ['an override of what cannot be', { overrides: ['same-device'] }, 'TypeError', /cannot be overridden/],
  ['overrides that are no list', { overrides: 'x' }, 'TypeError', /'overrides'/],
  ['a limit per PF of none', { perPfLimit: 0 }, 'RangeError', /perPfLimit/],
  ['a limit of no time', { participantLimits: { quiesce: 0 } }, 'RangeError', /quiesce/],
]

describe('the options of migrate()', () => {
  let mocks: MockDevice[]
  let devices: readonly [from: Device, to: Device]

  before(async () => {
    const clock = new VirtualClock()
    mocks = ['a', 'b'].map((name, index) => new MockDevice({ name, clock, seed: BigInt(index) }))
    const [from, to] = await Promise.all(mocks.map(async mock => await openDevice(mock)))
    devices = [from ?? assert.fail(), to ?? assert.fail()]
  })
  after(async () => {
    for (const device of devices) await device.close()
  })

  for (const [what, options, name, message] of bad) {
    it(`are refused with ${what}, before a device is asked anything`, async () => {
      const [from, to] = devices
      const asked = mocks.map(({ history }) => history.length)
      await assert.rejects(migrate({ from, to, ...options }), { name, message })
      assert.deepEqual(
        mocks.map(({ history }) => history.length),
        asked,
      )
    })
  }

  it('are devices of one clock, which is named otherwise', async () => {
    const [from] = devices
    await using to = await openDevice(new MockDevice({ name: 'elsewhere', clock: new VirtualClock() }))
    await assert.rejects(migrate({ from, to }), {
      name: 'TypeError',
      message: /'a' and 'elsewhere'.*two clocks/,
    })
  })

  it('are lists of one device where one is given, with its clock, and a stop rule', () => {
    const [from, to] = devices
    const checked = checkOptions({ from, to })
    assert.deepEqual([checked.from, checked.to, checked.clock], [[from], [to], from.clock])
    assert.equal(typeof checked.policy, 'function')
  })

  it('are a DMA log of whatever the kernel takes: ranges side by side in any order, up to the last address', () => {
    const [from, to] = devices
    const wide = logOf({ pageSize: 2 ** 21 }, [2n ** 64n - 2n ** 22n, 2n ** 21n], [0n, 2n ** 40n])
    for (const options of [wide, logOf({}, [4096n, 4096n], [0n, 4096n]), logOf({}, ...manyRanges(256))])
      assert.ok(checkOptions({ from, to, ...options }).dmaLogging)
  })

  it('take a stop rule of the caller in place of the presets, and a deadline beside it', () => {
    const [from, to] = devices
    const policy = (): 'continue' => 'continue'
    const { policy: taken } = checkOptions({ from, to, policy, deadlineMs: 50, onDeadline: 'abort' })
    const at = (elapsedMs: number): unknown =>
      taken({ elapsedMs, initialBytesLeft: 0, canImprove: true } as PolicyProgress)
    assert.equal(at(49), 'continue')
    assert.equal((at(50) as Reasoned).decision, 'abort')
  })
})
