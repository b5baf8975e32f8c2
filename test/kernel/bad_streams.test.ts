// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { isVfioError } from '#lib/errors.js'
import { migrate, MigrationError, type Device } from '#lib/index.js'
import { pairOf } from '../unit/migration/pair.ts'
import { createMtty } from './mtty.ts'
import { headerOf, streamOf } from './mtty_stream.ts'
import { openMtty } from './opened.ts'
import { openSeam } from './seam.ts'

const whole = streamOf('mtty-1', [{ scratch: 0x77 }])

function withByte(at: number, byte: number): Buffer {
  const bytes = Buffer.from(whole)
  bytes[at] = byte
  return bytes
}

/** Streams that the driver takes, and refuses when RESUMING is to be left. */
const tooShort: Readonly<Record<string, Buffer>> = {
  'an empty stream': Buffer.alloc(0),
  'one byte': whole.subarray(0, 1),
  'the header alone': headerOf('mtty-1'),
  'a stream without its last byte': whole.subarray(0, -1),
}

/** Streams that the driver refuses while they are written. */
const refused: Readonly<Record<string, readonly [Buffer, string]>> = {
  'a wrong magic number': [withByte(0, 0), 'EFAULT'],
  'another major version': [withByte(8, 2), 'EFAULT'],
  'unknown flags': [withByte(20, 1), 'EFAULT'],
  'the state of the other type': [streamOf('mtty-2'), 'ENOMEM'],
  'a byte too many': [Buffer.concat([whole, Buffer.alloc(1)]), 'ENOMEM'],
}

async function resetAndCheck(device: Device): Promise<void> {
  await device.reset()
  assert.equal(await device.state(), 'RUNNING')
}

describe('a state that is no whole state', () => {
  for (const [what, bytes] of Object.entries(tooShort)) {
    it(`is refused on leaving RESUMING: ${what}`, async () => {
      await using opened = await openMtty()
      const { device } = opened
      await device.setState('RESUMING')
      device.resumingStream.end(bytes)
      await finished(device.resumingStream)
      await assert.rejects(device.setState('STOP'), error => {
        assert.ok(isVfioError(error))
        assert.deepEqual([error.code, error.state, error.recovery], ['EINVAL', 'RESUMING', 'reset'])
        assert.ok(error.message.includes(device.name), error.message)
        return true
      })
      assert.equal(await device.state(), 'RESUMING')
      await resetAndCheck(device)
    })
  }

  for (const [what, [bytes, code]] of Object.entries(refused)) {
    it(`fails its write: ${what}`, async () => {
      await using opened = await openMtty()
      const { device } = opened
      await device.setState('RESUMING')
      device.resumingStream.write(bytes)
      await assert.rejects(once(device.resumingStream, 'finish'), error => {
        assert.ok(isVfioError(error))
        assert.deepEqual([error.code, error.recovery, error.device], [code, 'reset', device.name])
        return true
      })
      // mtty would go on after EFAULT and run a device with half a state.
      await assert.rejects(device.setState('RUNNING'), { code: 'ERR_VFIO_LOAD_FAILED' })
      assert.equal(await device.state(), 'RESUMING')
      await resetAndCheck(device)
    })
  }

  it('of one port fails at its header in a device of two ports', async () => {
    await using opened = await openMtty('mtty-2')
    const { device } = opened
    await device.setState('RESUMING')
    device.resumingStream.end(whole)
    await assert.rejects(finished(device.resumingStream), { code: 'EFAULT' })
    await resetAndCheck(device)
  })

  it('is no trouble in pieces of any size, as long as it is whole', async () => {
    await using opened = await openMtty()
    const { device } = opened
    await device.setState('RESUMING')
    for (const byte of whole) device.resumingStream.write(Uint8Array.of(byte))
    device.resumingStream.end()
    await finished(device.resumingStream)
    assert.equal(device.resumingStream.bytesWritten, whole.length)
    await device.setState('RUNNING')
    assert.deepEqual(await device.regions[0]?.read(7, 1), Buffer.of(0x77))
  })
})

describe('a migration between devices of different types', () => {
  it('is refused before anything is touched', async () => {
    await using one = await openMtty('mtty-1')
    await using two = await openMtty('mtty-2')
    await assert.rejects(migrate({ from: one.device, to: two.device }), {
      code: 'ERR_VFIO_REFUSED',
      message: /mdev-type-differs/,
    })
    assert.deepEqual([await one.device.state(), await two.device.state()], ['RUNNING', 'RUNNING'])
  })

  const overrides = ['mdev-type-differs']

  it('fails where it is not refused, with the source running again and the destination reset', async () => {
    await using one = await openMtty('mtty-1')
    await using two = await openMtty('mtty-2')
    await assert.rejects(migrate({ from: one.device, to: two.device, overrides }), error => {
      assert.ok(error instanceof MigrationError)
      assert.deepEqual([error.code, error.recovery], ['ERR_VFIO_MIGRATION', 'none'])
      assert.ok(isVfioError(error.cause))
      assert.equal(error.cause.code, 'EFAULT')
      const { source, destination } = pairOf(error.report)
      assert.deepEqual([source.state, source.wasReset], ['RUNNING', false])
      assert.deepEqual([destination.state, destination.wasReset], ['RUNNING', true])
      return true
    })
    assert.deepEqual([await one.device.state(), await two.device.state()], ['RUNNING', 'RUNNING'])
  })

  it('leaves the destination in RESUMING where it is not to be reset', async () => {
    await using one = await openMtty('mtty-1')
    await using two = await openMtty('mtty-2')
    const migration = migrate({ from: one.device, to: two.device, overrides, onStuck: 'leave' })
    await assert.rejects(migration, error => {
      assert.ok(error instanceof MigrationError)
      assert.deepEqual([error.code, error.recovery], ['ERR_VFIO_MIGRATION', 'reset'])
      assert.ok(isVfioError(error.cause))
      assert.equal(error.cause.code, 'EFAULT')
      const { source, destination } = pairOf(error.report)
      assert.deepEqual([source.state, destination.state], ['RUNNING', 'RESUMING'])
      return true
    })
    assert.deepEqual([await one.device.state(), await two.device.state()], ['RUNNING', 'RESUMING'])
  })
})

describe('a data_fd whose write has failed', () => {
  it('is not written to again, though mtty would take what fits', async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    const session = await seam.begin('RESUMING')
    assert.equal(await session.write(Buffer.concat([whole, whole])), -12)
    assert.equal(await session.write(whole), -19)
    // The driver took nothing of either: it lacks the whole state.
    assert.equal((await seam.set('STOP')).result, -22)
    assert.equal(await seam.state(), 'RESUMING')
    await session.close()
  })
})
