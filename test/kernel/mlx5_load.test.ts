// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, type Device } from '#lib/index.js'
import { openBottle, type Bottle } from './bottle.ts'
import type { BottledFunction } from './bottled.ts'
import { field, headerBytes, imageFlags, longField, withHeader } from './mlx5_image.ts'
import { imageRecord, imagesOf, loadAll, readAll, saveAll, streamOf } from './mlx5_stream.ts'
import { openSeam } from './seam.ts'

const page = 4096
const size = 5 * page + 1024

/** The image with another byte in its second page. */
function withOtherByte(image: Buffer): Buffer {
  const changed = Buffer.from(image)
  changed.writeUInt8(changed.readUInt8(headerBytes + page + 100) ^ 1, headerBytes + page + 100)
  return changed
}

const images = (...payloads: readonly Buffer[]): Buffer => streamOf(payloads.map(imageRecord))

describe('a firmware that loads an image', () => {
  let bottle: Bottle
  let bottled: BottledFunction
  let device: Device
  /** A whole state, in one image. */
  let whole: Buffer
  /** The images of a pre-copy: initial, two increments, final. */
  let rounds: Buffer[]

  before(async () => {
    bottle = await openBottle({ size, functions: 2, capabilities: { migration_state: true } })
    bottled = bottle.functions[0] ?? assert.fail()
    device = await openDevice(bottled.address)
    await bottled.step(9)
    await device.setState('PRE_COPY')
    const parts = []
    for (let round = 0; round < 3; round++) {
      parts.push(await readAll(device, 'idle'))
      await bottled.step(1)
      await device.precopyInfo()
    }
    await device.setState('STOP_COPY')
    parts.push(await readAll(device, 'end'))
    rounds = imagesOf(Buffer.concat(parts))
    await device.setState('STOP')
    whole = imagesOf(await saveAll(device))[0] ?? assert.fail()
    await device.reset()
  })
  afterEach(async () => {
    await device.reset()
    await bottled.emptyLogs()
  })
  after(async () => {
    await device.close()
    await bottle[Symbol.asyncDispose]()
  })

  const refusals: readonly (readonly [what: string, status: string, code: string, () => Buffer])[] = [
    ['another magic', '0x3', 'EINVAL', () => withHeader(whole, { magic: 1 })],
    ['another format', '0x3', 'EINVAL', () => withHeader(whole, { format: 2 })],
    ['a field that is not 0', '0x3', 'EINVAL', () => withHeader(whole, { zero: 1 })],
    ['no id', '0x3', 'EINVAL', () => withHeader(whole, { id: 0n })],
    ['a flag that nobody knows', '0x3', 'EINVAL', () => withHeader(whole, { flags: 14 })],
    ['an increment that has no base', '0x3', 'EINVAL', () => withHeader(whole, { flags: 7 })],
    ['a wrong check', '0x3', 'EINVAL', () => withHeader(whole, { check: 0 })],
    ['a size that no state has', '0x3', 'EINVAL', () => withHeader(whole, { size: 1000n })],
    ['fewer pages than it has', '0x3', 'EINVAL', () => withHeader(whole, { pages: 5 })],
    ['a byte too few', '0x3', 'EINVAL', () => whole.subarray(0, -1)],
    ['a byte too many', '0x3', 'EINVAL', () => Buffer.concat([whole, Buffer.alloc(1)])],
    ['half a header', '0x3', 'EINVAL', () => whole.subarray(0, 40)],
    ['a page that is not what it should be', '0x3', 'EINVAL', () => withOtherByte(whole)],
    ['the pages of another seed', '0x3', 'EINVAL', () => withHeader(whole, { seed: 1n })],
    ['another size', '0x50', 'EIO', () => withHeader(whole, { size: BigInt(size + page) })],
    ['a base that nobody has loaded', '0x9', 'EINVAL', () => rounds[1] ?? assert.fail()],
    ['the second chunk first', '0x9', 'EINVAL', () => withHeader(whole, { chunk: 1 })],
  ]
  for (const [what, status, code, make] of refusals) {
    it(`refuses ${what}`, async () => {
      const before = await bottled.digest()
      await assert.rejects(loadAll(device, images(make())), { code })
      const loads = (await bottled.commands()).filter(({ name }) => name === 'LOAD')
      assert.deepEqual(
        loads.map(({ fields }) => fields.status),
        [status],
      )
      assert.deepEqual(await bottled.digest(), before)
    })
  }

  const broken: readonly (readonly [what: string, () => Buffer[]])[] = [
    ['one that was left out', () => rounds.filter((_, index) => index !== 1)],
    ['one that came twice', () => rounds.flatMap(image => [image, image])],
    ['two that changed places', () => [0, 2, 1, 3].map(index => rounds[index] ?? assert.fail())],
  ]
  for (const [what, make] of broken) {
    it(`refuses a row of images with ${what}`, async () => {
      // An initial image can be loaded as often as one likes: it is increments that must be in order.
      await assert.rejects(loadAll(device, images(...make())), { code: 'EINVAL' })
    })
  }

  it('takes the row of images of a pre-copy, and then runs', async () => {
    await loadAll(device, images(...rounds))
    const last = rounds.at(-1) ?? assert.fail()
    const { epoch, seed } = await bottled.digest()
    assert.deepEqual([epoch, seed], [longField(last, 'epoch'), longField(last, 'seed')])
    await device.setState('RUNNING')
  })

  it('takes a whole state over what a refused one has left', async () => {
    await assert.rejects(loadAll(device, images(withOtherByte(whole))), { code: 'EINVAL' })
    await device.reset()
    await loadAll(device, images(whole))
    await device.setState('RUNNING')
  })

  for (const [what, make] of [
    ['no final image', () => rounds.slice(0, -1)],
    ['no last chunk', () => [withHeader(whole, { flags: field(whole, 'flags') & ~imageFlags.lastChunk })]],
  ] as const) {
    it(`refuses to run a state with ${what}, and stays in STOP`, async () => {
      await loadAll(device, images(...make()))
      await assert.rejects(device.setState('RUNNING'), { code: 'EIO', state: 'STOP' })
      assert.equal(await bottled.isRunning(), false)
      await device.reset()
      assert.equal(await bottled.isRunning(), true)
    })
  }

  it('refuses to run after a LOAD that failed, even where the driver does not ask', async () => {
    const other = bottle.functions[1] ?? assert.fail()
    await using seam = await openSeam(other.address)
    const session = await seam.begin('RUNNING_P2P', 'STOP', 'RESUMING')
    assert.ok((await session.write(images(withOtherByte(whole)))) < 0)
    await session.close()
    const { result, done } = await seam.set('STOP', 'RUNNING_P2P')
    assert.deepEqual([result, done], [-5, 1])
  })

  it('takes nothing at all for a state that is whole: nothing was loaded', async () => {
    await loadAll(device, Buffer.alloc(0))
    await device.setState('RUNNING')
  })
})
