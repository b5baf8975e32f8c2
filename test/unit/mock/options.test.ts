// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { realClock, VirtualClock } from '#lib/mock/clock.js'
import { flavourNames } from '#lib/mock/flavours.js'
import { resolveOptions, type MockOptions } from '#lib/mock/options.js'

const mebibyte = 1024 ** 2

function refusal(options: unknown): Error {
  try {
    resolveOptions(options as MockOptions)
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was refused')
}

describe('resolveOptions', () => {
  it('makes an mlx5 of 7.2 that takes no time when it is told nothing', () => {
    const resolved = resolveOptions()
    assert.equal(resolved.flavour.driver, 'mlx5_vfio_pci')
    assert.equal(resolved.kernel, '7.2')
    assert.deepEqual(resolved.capabilities, { stopCopy: true, p2p: true, preCopy: true, dmaLogging: true })
    assert.deepEqual([resolved.size, resolved.workingSet, resolved.dirty], [mebibyte, mebibyte, 0])
    assert.deepEqual(resolved.bandwidth, { save: Infinity, load: Infinity })
    assert.ok(Object.values(resolved.latency).every(ms => ms === 0))
    assert.deepEqual([resolved.chunkSize, resolved.reinit, resolved.faults], [undefined, false, []])
    assert.deepEqual([resolved.origin, resolved.clock], ['opened', realClock])
  })

  it('gives each mock a seed and a name of its own', () => {
    const [one, other] = [resolveOptions(), resolveOptions()]
    assert.notEqual(one.seed, other.seed)
    assert.notEqual(one.name, other.name)
    assert.equal(resolveOptions({ seed: 0xabcdn }).name, 'mock-0000abcd')
    assert.equal(resolveOptions({ seed: 7, name: 'a' }).seed, 7n)
  })

  it('takes amounts as numbers and as text', () => {
    const clock = new VirtualClock()
    const resolved = resolveOptions({
      size: '64MiB',
      dirty: '20MiB/s',
      workingSet: '1MiB',
      latency: { SAVE: '5ms', LOAD: 0.5, RESET: '2s', QUERY: '250us' },
      bandwidth: { save: '1GiB/s' },
      chunkSize: 8192,
      estimateSlack: '1KiB',
      clock,
    })
    assert.deepEqual(
      [resolved.size, resolved.dirty, resolved.workingSet],
      [64, 20, 1].map(n => n * mebibyte),
    )
    const { SAVE, LOAD, RESET, QUERY, SUSPEND_INITIATOR } = resolved.latency
    assert.deepEqual([SAVE, LOAD, RESET, QUERY, SUSPEND_INITIATOR], [5, 0.5, 2000, 0.25, 0])
    assert.deepEqual(resolved.bandwidth, { save: 1024 ** 3, load: Infinity })
    assert.deepEqual([resolved.chunkSize, resolved.estimateSlack, resolved.clock], [8192, 1024, clock])
  })

  it('resolves every flavour as it is unless told', () => {
    for (const flavour of flavourNames) {
      const { capabilities, size, flavour: resolved } = resolveOptions({ flavour })
      assert.equal(capabilities.stopCopy, true, flavour)
      assert.ok(size <= resolved.largestSize, flavour)
    }
  })

  it('takes away what the flavour has, and with STOP_COPY everything that rests on it', () => {
    const { capabilities } = resolveOptions({ capabilities: { preCopy: false, dmaLogging: undefined } })
    assert.deepEqual(capabilities, { stopCopy: true, p2p: true, preCopy: false, dmaLogging: true })
    const none = resolveOptions({ capabilities: { stopCopy: false } })
    assert.deepEqual(none.capabilities, { stopCopy: false, p2p: false, preCopy: false, dmaLogging: true })
  })

  it('has a virtio that migrates nothing on 6.12, as that kernel has', () => {
    const { capabilities } = resolveOptions({ flavour: 'virtio', kernel: '6.12' })
    assert.deepEqual(capabilities, { stopCopy: false, p2p: false, preCopy: false, dmaLogging: false })
  })

  it('takes what is the same as nothing told, whoever has a use for it', () => {
    resolveOptions({ flavour: 'mtty', latency: { SAVE: 0 }, bandwidth: { save: Infinity }, reinit: false })
  })

  it('takes the faults of what does not migrate that it has all the same', () => {
    const faults = [
      { on: 'RESET', errno: 'EAGAIN' },
      { on: 'LOG_START', errno: 'EIO' },
    ] as const
    assert.equal(resolveOptions({ capabilities: { stopCopy: false }, faults }).faults.length, 2)
  })

  it('takes the amounts that its page names', () => {
    assert.equal(
      resolveOptions({ dmaLog: { maxSpan: '4TiB' } }).dmaLog.maxSpan,
      resolveOptions().dmaLog.maxSpan,
    )
    const most = resolveOptions({
      dirty: '1TiB/s',
      latency: { SAVE: '86400s' },
      bandwidth: { save: '1KiB/s' },
    })
    assert.deepEqual([most.dirty, most.latency.SAVE, most.bandwidth.save], [1024 ** 4, 86_400_000, 1024])
  })

  describe('refuses with the field, the cause and the remedy', () => {
    const cases: [title: string, options: object, message: RegExp][] = [
      ['PRE_COPY without STOP_COPY', { capabilities: { stopCopy: false, preCopy: true } }, /'capabilities\.preCopy'.*without STOP_COPY there is no migration\. Leave it out, or do not take away capabilities\.stopCopy/],
      ['P2P without STOP_COPY', { capabilities: { stopCopy: false, p2p: true } }, /'capabilities\.p2p'.*without STOP_COPY/],
      ['PRE_COPY of pds', { flavour: 'pds', capabilities: { preCopy: true } }, /'capabilities\.preCopy'.*pds_vfio_pci of Linux 7\.2 does not have it\. Leave it out/],
      ['migration of virtio on 6.12', { flavour: 'virtio', kernel: '6.12', capabilities: { stopCopy: true } }, /'capabilities\.stopCopy'.*Linux 6\.12/],
      ['a size of 0', { size: 0 }, /'size'.*0 is not from 1 KiB to 1 GiB in steps of 1 KiB\. Give 64MiB/],
      ['a size of more than 1 GiB', { size: '2GiB' }, /'size'.*2147483648 is not/],
      ['a size between two KiB', { size: 1025 }, /'size'.*1025 is not/],
      ['a size without end', { size: Infinity }, /'size'.*without end/],
      ['a size below 0', { size: '-1KiB' }, /'size'.*less than 0/],
      ['a size of a stream that is fixed', { flavour: 'hisi_acc', size: 4096 }, /'size'.*always has 176 bytes\. Leave it out, or take flavour mlx5, virtio, pds or xe/],
      ['a size beyond what pds can hold', { flavour: 'pds', size: '64KiB' }, /'size'.*do not fit into the stream of pds_vfio_pci/],
      ['a working set larger than the state', { size: 4096, workingSet: 8192 }, /'workingSet'.*8192 is not from 1 to the 4096 bytes/],
      ['a working set of nothing', { workingSet: 0 }, /'workingSet'.*0 is not from 1/],
      ['chunks of a driver without them', { flavour: 'virtio', chunkSize: 8192 }, /'chunkSize'.*virtio_vfio_pci has no chunk mode/],
      ['a chunk without room for a page', { chunkSize: 4096 }, /'chunkSize'.*4096 is not from 4176 bytes/],
      ['reinit on 6.12', { kernel: '6.12', reinit: true }, /'reinit'.*Linux 6\.12 has no VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2.*take kernel 7\.2/],
      ['reinit of another driver', { flavour: 'qat', reinit: true }, /'reinit'.*qat_vfio_pci never reports it/],
      ['reinit without PRE_COPY', { capabilities: { preCopy: false }, reinit: true }, /'reinit'.*has no PRE_COPY/],
      ['a driver that the kernel has not', { flavour: 'xe', kernel: '6.12' }, /'flavour'.*Linux 6\.12 has no driver xe-vfio-pci\. Give kernel 7\.2/],
      ['a latency below 0', { latency: { SAVE: -1 } }, /'latency\.SAVE'.*less than 0/],
      ['a latency without end', { latency: { SAVE: Infinity } }, /'latency\.SAVE'.*without end/],
      ['a bandwidth of 0', { bandwidth: { load: 0 } }, /'bandwidth\.load'.*nothing would ever come/],
      ['a seed that is none', { seed: 2n ** 64n }, /'seed'.*below 2\^64/],
      ['a name of nothing', { name: '' }, /'name'.*empty/],
      ['a page that is no power of two', { dmaLog: { minPageSize: 5000 } }, /'dmaLog\.minPageSize'.*5000 is no power of two/],
      ['pages in the wrong order', { dmaLog: { maxPageSize: 2048 } }, /'dmaLog\.maxPageSize'.*less than the 4096/],
      ['a latency that mtty has no command for', { flavour: 'mtty', latency: { SAVE: 1 } }, /'latency\.SAVE'.*mtty never gives SAVE\. Leave it out, or take flavour mlx5, virtio/],
      ['the half of mtty that it has not', { flavour: 'mtty', latency: { SUSPEND_RESPONDER: 1 } }, /'latency\.SUSPEND_RESPONDER'.*mtty never gives/],
      ['a bandwidth of mtty', { flavour: 'mtty', bandwidth: { save: 1e6 } }, /'bandwidth\.save'.*mtty has no firmware/],
      ['a QUERY of qat', { flavour: 'qat', latency: { QUERY: 1 } }, /'latency\.QUERY'.*qat_vfio_pci never gives QUERY.*flavour mlx5, virtio or pds$/],
      ['an estimate of qat', { flavour: 'qat', estimateSlack: 80 }, /'estimateSlack'.*qat_vfio_pci asks its firmware for no estimate/],
      ['a working set of one page', { flavour: 'qat', workingSet: 512 }, /'workingSet'.*qat_vfio_pci has a state of one page/],
      ['a log of a driver without one', { flavour: 'virtio', dmaLog: { maxRanges: 2 } }, /'dmaLog\.maxRanges'.*virtio_vfio_pci has no tracker.*flavour mlx5 or pds/],
      ['a log of mtty, whose calls do nothing', { flavour: 'mtty', dmaLog: { maxSpan: 4096 } }, /'dmaLog\.maxSpan'.*mtty has no tracker/],
      ['a log that was taken away', { capabilities: { dmaLogging: false }, dmaLog: { maxRanges: 2 } }, /'dmaLog\.maxRanges'.*logs no DMA\. Leave it out/],
      ...(['latency', 'bandwidth', 'chunkSize', 'estimateSlack', 'reinit'] as const).map((name): [string, object, RegExp] => {
        const value = { latency: { LOAD: 1 }, bandwidth: { load: 1e6 }, chunkSize: 8192, estimateSlack: 80, reinit: true }[name]
        return [`${name} of what does not migrate`, { capabilities: { stopCopy: false }, [name]: value }, new RegExp(`'${name}.*this mlx5_vfio_pci of Linux 7\\.2 (does not migrate|has no PRE_COPY)`)]
      }),
      ['a latency of virtio on 6.12', { flavour: 'virtio', kernel: '6.12', latency: { SAVE: 1 } }, /'latency\.SAVE'.*virtio_vfio_pci of Linux 6\.12 does not migrate/],
      ['a part of a byte in chunks', { chunkSize: 5000.5 }, /'chunkSize'.*5000\.5 is no whole number of bytes/],
      ['a part of a byte that is written', { workingSet: 1.5 }, /'workingSet'.*1\.5 is no whole number of bytes/],
      ['a part of a byte that is estimated', { estimateSlack: 0.5 }, /'estimateSlack'.*0\.5 is no whole number of bytes/],
      ['an estimate beyond all states', { estimateSlack: '2GiB' }, /'estimateSlack'.*more than 1 GiB/],
      ['more writes than an epoch can count', { dirty: 1e30 }, /'dirty'.*more than 1 TiB\/s/],
      ['a bandwidth that nobody can wait for', { bandwidth: { save: 1e-300 } }, /'bandwidth\.save'.*less than 1 KiB\/s/],
      ['a latency that nobody can wait for', { latency: { SAVE: '86401s' } }, /'latency\.SAVE'.*more than a day/],
      ['a name of two lines', { name: 'a\nb' }, /'name'.*control character/],
      ['no range at all', { dmaLog: { maxRanges: 0 } }, /'dmaLog\.maxRanges'.*whole number from 1/],
    ] // prettier-ignore
    for (const [title, options, message] of cases) {
      it(title, () => {
        const error = refusal(options)
        assert.ok(error instanceof RangeError, error.name)
        assert.match(error.message, message)
        assert.match(error.message, /\. (Give|Leave) /)
      })
    }
  })

  describe('refuses as a mistake of the code', () => {
    const cases: [title: string, options: unknown, message: RegExp][] = [
      ['an option that there is not', { sise: 1 }, /'sise'.*none of that name.*name, flavour, kernel/],
      ['a command that there is not', { latency: { SEVE: 1 } }, /'latency\.SEVE'.*There are: SUSPEND_INITIATOR/],
      ['a flavour that there is not', { flavour: 'mlx6' }, /'flavour'.*none of mlx5, virtio/],
      ['a kernel that there is not', { kernel: 7.2 }, /'kernel'.*none of 6\.12, 7\.2/],
      ['an amount without sense', { size: 'large' }, /'size'.*not a size in bytes\. Give a number, or a number with its unit, such as 64MiB/],
      ['a unit of 1000', { size: '64MB' }, /'size'.*such as 64MiB/],
      ['a rate without its second', { dirty: '20MiB' }, /'dirty'.*such as 20MiB\/s/],
      ['a time that is no number', { latency: { SAVE: NaN } }, /'latency\.SAVE'.*such as 5ms/],
      ['a clock of another kind', { clock: { now: () => 0 } }, /'clock'.*no VirtualClock/],
      ['a truth that is text', { reinit: 'yes' }, /'reinit'.*neither true nor false/],
      ['options that are none', 5, /the options of a mock: it is no object/],
      ['a fault at a point that there is not', { faults: [{ on: 'SEVE', errno: 'EIO' }] }, /'faults\.0'.*no point 'SEVE'/],
      ['a fault of what does not migrate', { capabilities: { stopCopy: false }, faults: [{ on: 'SAVE', errno: 'EIO' }] }, /'faults\.0'.*no point 'SAVE'/],
      ['an arc of what does not migrate', { flavour: 'virtio', kernel: '6.12', faults: [{ on: 'RUNNING->STOP', errno: 'EIO' }] }, /'faults\.0'.*no point/],
      ['a fault at a point of another flavour', { flavour: 'virtio', faults: [{ on: 'SAVE_CLEANUP', errno: 'EIO' }] }, /'faults\.0'.*virtio has no point/],
    ] // prettier-ignore
    for (const [title, options, message] of cases) {
      it(title, () => {
        const error = refusal(options)
        assert.ok(error instanceof TypeError, error.name)
        assert.match(error.message, message)
      })
    }
  })
})
