// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '../device.ts'
import { said } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import type { Flavour } from '../subject.ts'

const where = 'regions'
const pci: readonly Flavour[] = ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'xe', 'none', 'other']
const ofPci: Needs = { flavours: pci, controls: ['regions'] }
const core: Evidence = ['core']
const mtty: Evidence = ['mtty']
const unit = 2 ** 40
const [RESET, PCI] = [1, 2]
const [config, vga] = [7, 8]
const [getInfo, getRegionInfo] = [0x3b6b, 0x3b6c]

const u32s = (...words: number[]): Buffer => Buffer.from(Uint32Array.from(words).buffer)

export const regions: readonly Rule[] = [
  {
    id: 'info-pci',
    name: 'a PCI function says that it is one, that it can be reset, and that it has nine regions and five kinds of interrupts',
    where,
    evidence: core,
    needs: ofPci,
    async run(subject) {
      await using device = await openDevice(subject)
      const { result, flags, numRegions, numIrqs } = await device.calls.deviceInfo()
      assert.deepEqual([result, flags & (RESET | PCI), numRegions, numIrqs], [0, RESET | PCI, 9, 5])
    },
  },
  {
    id: 'info-mtty-device',
    name: 'mtty does not say that it can be reset, and can',
    where,
    evidence: mtty,
    needs: { flavours: ['mtty'], controls: ['regions'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const { result, flags, numRegions, numIrqs } = await device.calls.deviceInfo()
      assert.deepEqual([result, flags, numRegions, numIrqs], [0, PCI, 9, 5])
      await device.reset()
    },
  },
  {
    id: 'regions-pci',
    name: 'region i of a PCI function begins at i << 40; its config space has 256 or 4096 bytes; VGA is EINVAL without VGA',
    where,
    evidence: core,
    needs: ofPci,
    async run(subject) {
      await using device = await openDevice(subject)
      for (let index = 0; index <= config; index++) {
        const { result, offset } = await device.calls.regionInfo(index)
        assert.deepEqual([result, offset], [0, index * unit], `region ${index}`)
      }
      const { size, flags } = await device.calls.regionInfo(config)
      assert.ok([256, 4096].includes(size), `${size} bytes`)
      assert.equal(flags & 3, 3)
      assert.equal(said((await device.calls.regionInfo(vga)).result), 'EINVAL')
    },
  },
  {
    id: 'regions-mtty',
    name: 'mtty has a BAR of 8 bytes and 255 bytes of config space',
    where,
    evidence: mtty,
    needs: { flavours: ['mtty'], controls: ['regions'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const sizes: number[] = []
      for (let index = 0; index < 9; index++) {
        const { result, size, offset } = await device.calls.regionInfo(index)
        assert.deepEqual([result, offset], [0, index * unit])
        sizes.push(size)
      }
      assert.deepEqual(sizes, [8, 0, 0, 0, 0, 0, 0, 255, 0])
    },
  },
  {
    id: 'regions-none',
    name: 'a region that there is not is EINVAL',
    where,
    evidence: core,
    needs: { flavours: [...pci, 'mtty'], controls: ['regions'] },
    async run(subject) {
      await using device = await openDevice(subject)
      for (const index of [9, 10, 1000]) {
        assert.equal(said((await device.calls.regionInfo(index)).result), 'EINVAL', `${index}`)
      }
    },
  },
  {
    id: 'regions-leave-state',
    name: 'config space is read without a word about the state',
    where,
    evidence: core,
    needs: {
      flavours: ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'xe', 'mtty', 'other'],
      controls: ['regions'],
    },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.go('STOP')
      const { result, data } = await device.calls.regionRead(config * unit, 4, 4)
      assert.deepEqual([result, data.length], [4, 4])
      assert.equal(await device.state(), 'STOP')
    },
  },
  {
    id: 'info-short',
    name: 'GET_INFO and GET_REGION_INFO refuse a null pointer with EFAULT and too small an argsz with EINVAL',
    where,
    evidence: core,
    needs: { flavours: [...pci, 'mtty'], controls: ['rawDevice'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const ask = async (request: number, bytes?: Uint8Array): Promise<number | string> =>
        said((await device.controls.rawDevice(request, bytes)).result)
      assert.equal(await ask(getInfo), 'EFAULT')
      assert.equal(await ask(getInfo, u32s(15, 0, 0, 0, 0, 0)), 'EINVAL')
      assert.equal(await ask(getRegionInfo), 'EFAULT')
      assert.equal(await ask(getRegionInfo, u32s(31, 0, 0, 0, 0, 0, 0, 0)), 'EINVAL')
    },
  },
  {
    id: 'info-16-bytes',
    name: 'mtty writes 16 bytes of GET_INFO, however much it is given',
    where,
    evidence: mtty,
    needs: { flavours: ['mtty'], controls: ['rawDevice'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const { result, bytes } = await device.controls.rawDevice(getInfo, u32s(24, 9, 9, 9, 9, 9))
      assert.equal(result, 0)
      assert.deepEqual(Buffer.from(bytes), u32s(24, PCI, 9, 5, 9, 9))
    },
  },
]
