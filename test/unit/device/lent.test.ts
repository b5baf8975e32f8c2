// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/index.js'
import { refusal } from '#lib/device/lent.js'
import { VfioError, VfioSystemError } from '#lib/errors.js'
import { errno } from '#lib/kernel/errno.js'

describe('a lent device', () => {
  for (const [what, lent] of Object.entries({
    'a number below 0': { fd: -1 },
    'a fraction': { fd: 0, iommufd: 1.5 },
    'a companion that is the device': { fd: 3, iommufd: 3 },
    'a companion that is another': { fd: 3, group: 4, container: 4 },
  })) {
    it(`is not taken with ${what}`, () => assert.rejects(openDevice(lent), TypeError))
  }

  it('is left as it is where its fd is no VFIO device', () =>
    assert.rejects(openDevice({ fd: 0 }), { code: 'ERR_VFIO_NO_DEVICE', message: /^fd 0 is no VFIO device/ }))
})

describe('a number that was lent already', () => {
  it('is named', () => {
    const error = refusal(-errno.EBUSY, [7])
    assert.ok(error instanceof VfioError)
    assert.deepEqual([error.code, error.device], ['ERR_VFIO_BUSY', 'fd:7'])
    assert.match(error.message, /^fd 7 was lent already/)
  })

  it('is one of several where there are companions', () => {
    assert.match(refusal(-errno.EBUSY, [7, 8, 9]).message, /^one of the fds 7, 8, 9 was lent already/)
  })

  it('is not what a thread that does not start is', () => {
    const error = refusal(-errno.EAGAIN, [7])
    assert.ok(error instanceof VfioSystemError)
    assert.deepEqual([error.code, error.syscall], ['EAGAIN', 'pthread_create'])
  })
})
