// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { kernel } from './kernel.js'
import { E, RESUMING, STOP, enter, open, scenario } from './scenario.js'
import { hash, pattern, taken } from './taken.js'

function detach({ buffer }: Uint8Array): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
}

/** How many pieces of writes are in the lane at once. */
const inLane = 4

describe('a write to a resuming fd', () => {
  scenario('delivers every byte in order', async () => {
    const session = await enter(await open(), RESUMING)
    const [a, b] = [pattern(100_000), pattern(17)]
    assert.deepEqual(await Promise.all([session.write(a), session.write(b)]), [100_000, 17])
    assert.deepEqual(taken(), [100_017, hash(a, b)])
  })

  scenario('goes on after short writes until everything is taken', async () => {
    const session = await enter(await open(), RESUMING)
    kernel.rule(0, 'write', 'cut', 10, 1)
    kernel.rule(0, 'write', 'cut', 1, 2)
    const data = pattern(1000)
    assert.equal(await session.write(data), 1000)
    assert.deepEqual(kernel.lines('write'), ['write 0 = 10', 'write 0 = 1', 'write 0 = 989'])
    assert.deepEqual(taken(), [1000, hash(data)])
  })

  scenario('takes a view for what it shows', async () => {
    const session = await enter(await open(), RESUMING)
    const whole = pattern(100)
    assert.equal(await session.write(whole.subarray(10, 60)), 50)
    assert.deepEqual(taken(), [50, hash(whole.subarray(10, 60))])
  })

  scenario('of nothing takes nothing', async () => {
    const session = await enter(await open(), RESUMING)
    assert.equal(await session.write(new Uint8Array(0)), 0)
  })

  scenario('keeps its bytes alive while it hangs and nobody else does', async () => {
    const session = await enter(await open(), RESUMING)
    kernel.hold(0, 'write')
    const writing = session.write(pattern(50_000))
    kernel.waitFor('held write')
    for (let i = 0; i < 3; i++) globalThis.gc?.()
    kernel.release('write')
    assert.equal(await writing, 50_000)
    assert.deepEqual(taken(), [50_000, hash(pattern(50_000))])
  })

  scenario('leaves the fd as the kernel made it: it blocks', async () => {
    await enter(await open(), RESUMING)
    assert.deepEqual(kernel.lines('F_SETFL'), [])
  })

  for (const name of ['EAGAIN', 'EINTR', 'EFAULT', 'ENOMEM', 'EOPNOTSUPP', 'ENODEV'] as const) {
    scenario(`that failed with ${name} is the last that reaches the kernel`, async () => {
      const session = await enter(await open(), RESUMING)
      assert.equal(await session.write(pattern(10)), 10)
      kernel.rule(0, 'write', 'fail', E[name])
      const answers = await Promise.all([session.write(pattern(10)), session.write(pattern(10))])
      assert.deepEqual(answers, [-E[name], -E.ENODEV])
      assert.equal(await session.write(pattern(10)), -E.ENODEV)
      assert.deepEqual(kernel.lines('write').length, 2)
    })
  }

  scenario('answers the errno when it failed after a part was taken', async () => {
    const session = await enter(await open(), RESUMING)
    kernel.rule(0, 'write', 'cut', 10, 1)
    kernel.rule(0, 'write', 'fail', E.EIO, 2)
    assert.equal(await session.write(pattern(100)), -E.EIO)
    assert.deepEqual(taken(), [10, hash(pattern(10))])
  })

  scenario('whose array is detached between two pieces is the last that reaches the kernel', async () => {
    const session = await enter(await open(), RESUMING)
    const data = pattern(inLane * (1 << 20) + 10)
    kernel.hold(0, 'write')
    const writes = [session.write(data), session.write(pattern(10))]
    kernel.waitFor('held write')
    detach(data)
    kernel.release('write')
    assert.deepEqual(await Promise.all(writes), [-E.EFAULT, -E.ENODEV])
    assert.equal(await session.write(pattern(10)), -E.ENODEV)
    assert.deepEqual(kernel.lines('write'), Array(inLane).fill(`write 0 = ${1 << 20}`))
    await session.close()
    assert.equal(await session.write(pattern(10)), -E.EBADF)
  })

  scenario('whose array is detached before its turn is the last as well', async () => {
    const session = await enter(await open(), RESUMING)
    const data = pattern(10)
    kernel.hold(0, 'write')
    const before = Array.from({ length: inLane }, () => session.write(pattern(20)))
    const writes = [...before, session.write(data), session.write(pattern(30))]
    kernel.waitFor('held write')
    detach(data)
    kernel.release('write')
    assert.deepEqual(await Promise.all(writes), [20, 20, 20, 20, -E.EFAULT, -E.ENODEV])
    assert.deepEqual(kernel.lines('write'), Array(inLane).fill('write 0 = 20'))
  })

  scenario('answers ENODEV after the session ended', async () => {
    const device = await open()
    const session = await enter(device, RESUMING)
    await device.setStates([STOP])
    assert.equal(await session.write(pattern(10)), -E.ENODEV)
  })

  scenario('answers EBADF to a read and ENOTTY to precopyInfo', async () => {
    const session = await enter(await open(), RESUMING)
    assert.equal((await session.read(100, 0)).result, -E.EBADF)
    assert.equal((await session.precopyInfo()).result, -E.ENOTTY)
  })

  scenario('too few leave the device in RESUMING where the driver counts', async () => {
    const device = await open()
    kernel.set(0, { mtty: true })
    const session = await enter(device, RESUMING)
    await session.write(pattern(59))
    assert.equal((await device.setStates([STOP])).result, -E.EINVAL)
    assert.equal(await device.getState(), RESUMING)
    assert.equal(await session.write(pattern(1)), 1)
    assert.equal((await device.setStates([STOP])).result, 0)
  })
})
