// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, type Device } from 'vfio-migrate'
import { MockDevice, VirtualClock, type Fault, type MockOptions } from 'vfio-migrate/mock'
import { takeBack } from '#lib/migration/recovery.js'
import { lead, Side } from '#lib/migration/side.js'

/** A device that was led to `target` and is to be taken back. */
async function ledTo(
  target: Parameters<typeof lead>[1],
  options: MockOptions = {},
): Promise<{ mock: MockDevice; device: Device; side: Side }> {
  const mock = new MockDevice({ clock: new VirtualClock(), ...options })
  const device = await openDevice(mock)
  const side = new Side(device, () => undefined)
  await side.begin()
  await lead([side], target)
  return { mock, device, side }
}

describe('takeBack()', () => {
  it('leads a source back to where it was found', async () => {
    const { side } = await ledTo('STOP_COPY')
    await takeBack(side, 'source', undefined)
    const { state, recovery, error } = await side.report()
    assert.deepEqual([state, recovery, error], ['RUNNING', 'none', undefined])
  })

  it('leaves a source whose way back fails where it is, whole: a reset would destroy the last copy', async () => {
    const fault: Fault = { on: 'RESUME_RESPONDER', errno: 'ETIMEDOUT' }
    const { mock, side, device } = await ledTo('STOP_COPY')
    const digest = mock.digest()
    mock.inject(fault)
    await takeBack(side, 'source', 'reset')
    const { state, recovery, wasReset, error } = await side.report()
    assert.deepEqual([state, recovery, wasReset], ['STOP', 'none', false])
    assert.equal((error as NodeJS.ErrnoException | undefined)?.code, 'ETIMEDOUT')
    assert.equal(mock.digest(), digest)
    await device.setState('RUNNING')
  })

  it('resets a source that the way back has poisoned, where that is wanted', async () => {
    const { mock, side } = await ledTo('PRE_COPY')
    mock.inject({ on: 'SAVE_CLEANUP', errno: 'EIO' })
    await takeBack(side, 'source', 'reset')
    const { state, wasReset } = await side.report()
    assert.deepEqual([state, wasReset], ['RUNNING', true])
  })

  for (const which of ['source', 'destination'] as const) {
    it(`touches no ${which} that somebody else has moved, and says so`, async () => {
      const { mock, side } = await ledTo(which === 'source' ? 'PRE_COPY' : 'RESUMING')
      const other = mock.open().calls
      await other.setStates([1])
      await takeBack(side, which, 'reset')
      const { state, wasReset, recovery, error } = await side.report()
      assert.deepEqual([state, wasReset, recovery], ['STOP', false, 'none'])
      assert.equal((error as NodeJS.ErrnoException | undefined)?.code, 'ERR_VFIO_STATE_MOVED')
    })
  }

  it('takes a state that neither the failed arc nor the driver leads to for the work of somebody else', async () => {
    const { mock, side } = await ledTo('STOP', { flavour: 'hisi_acc' })
    mock.inject({ on: 'RESUME_RESPONDER', reset: true })
    await assert.rejects(lead([side], 'RUNNING'), { code: 'EIO' })
    await takeBack(side, 'destination', 'reset')
    const { state, wasReset, error } = await side.report()
    assert.deepEqual([state, wasReset], ['RUNNING', false])
    assert.equal((error as NodeJS.ErrnoException | undefined)?.code, 'ERR_VFIO_STATE_MOVED')
  })

  it('waits for a path that is in the kernel: nobody is led back while being led on', async () => {
    const { mock, side } = await ledTo('RESUMING')
    const { side: lent, mock: held } = await ledTo('RUNNING', { flavour: 'virtio' })
    assert.equal(mock.state, 'RESUMING')
    held.inject({ on: 'RUNNING->RUNNING_P2P', hold: true })
    const led = lead([lent], 'STOP')
    await held.untilHeld()
    const back = takeBack(lent, 'source', undefined)
    held.releaseHeld()
    await Promise.all([led, back])
    assert.equal(held.state, 'RUNNING')
    await takeBack(side, 'destination', 'leave')
    assert.equal((await side.report()).recovery, 'reset')
  })
})
