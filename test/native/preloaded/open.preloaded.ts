// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import type { OpenStep } from '#lib/backend/seam.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import {
  E,
  PRE_COPY,
  PRE_COPY_P2P,
  RESUMING,
  RUNNING,
  RUNNING_P2P,
  STOP,
  STOP_COPY,
  alive,
  keep,
  open,
  openInGroup,
  scenario,
} from './scenario.js'

const openCdev = () => addon.openCdev('/dev/vfio/devices/vfio0', '/dev/iommu', undefined)
const openGroup = () => addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, '0000:08:00.2')

const cdevCalls = ['open_cdev 0 = fd', 'open_iommufd -1 = fd', 'BIND 0 = 0']
const groupCalls = [
  'open_group -1 = fd',
  'GROUP_GET_STATUS = ok',
  'open_container -1 = fd',
  'GROUP_SET_CONTAINER = ok',
  'iommu type 1',
  'SET_IOMMU = ok',
  'device name 0000:08:00.2',
  'GROUP_GET_DEVICE_FD = ok',
]

describe('open by cdev', () => {
  scenario('opens the cdev, then the iommufd, then binds with the size that every kernel knows', async () => {
    const answer = await openCdev()
    assert.equal(answer.step, 'VFIO_DEVICE_BIND_IOMMUFD')
    const device = keep(answer)
    assert.deepEqual(kernel.log(), cdevCalls)
    const { device: fd, iommufd, group, container } = device.fds()
    assert.ok(fd > 2 && iommufd !== undefined && iommufd > fd)
    assert.equal(group ?? container, undefined)
  })

  scenario('closes the device before the iommufd', async () => {
    const device = await open()
    await device.close()
    assert.deepEqual(kernel.lines('close'), ['close device', 'close iommufd'])
  })

  scenario('hands the token to BIND as 16 bytes behind a pointer', async () => {
    const token = Uint8Array.from({ length: 16 }, (_, i) => 0x10 + i)
    keep(await addon.openCdev('/dev/vfio/devices/vfio0', '/dev/iommu', token))
    assert.ok(kernel.log().includes('token 1011121314151617 18191a1b1c1d1e1f'))
  })

  scenario('answers what a kernel without tokens says to one', async () => {
    kernel.set('*', { kernel: 612 })
    const answer = await addon.openCdev('/dev/vfio/devices/vfio0', '/dev/iommu', new Uint8Array(16))
    assert.equal(answer.result, -E.EINVAL)
  })

  scenario('answers EINVAL for a device that is open elsewhere', async () => {
    await open()
    const answer = await openCdev()
    assert.deepEqual([answer.result, answer.step], [-E.EINVAL, 'VFIO_DEVICE_BIND_IOMMUFD'])
  })

  scenario('answers EBUSY where the group is open', async () => {
    await openInGroup()
    const answer = await openCdev()
    assert.deepEqual([answer.result, answer.step], [-E.EBUSY, 'VFIO_DEVICE_BIND_IOMMUFD'])
  })
})

describe('open by group', () => {
  scenario('opens group and container, joins them, sets the IOMMU and asks for the device', async () => {
    const answer = await openGroup()
    assert.equal(answer.step, 'VFIO_GROUP_GET_DEVICE_FD')
    const device = keep(answer)
    assert.deepEqual(kernel.log(), groupCalls)
    const { device: fd, iommufd, group, container } = device.fds()
    assert.ok(fd > 2 && group !== undefined && container !== undefined && group !== container)
    assert.equal(iommufd, undefined)
  })

  scenario('refuses a group that is not viable, and leaves nothing open', async () => {
    kernel.set('*', { viable: false })
    const answer = await openGroup()
    assert.deepEqual([answer.result, answer.step], [-E.EPERM, 'VFIO_GROUP_GET_STATUS'])
    assert.deepEqual(kernel.files(), [])
  })

  scenario('answers ENODEV for a name that the group does not know', async () => {
    const answer = await addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, '0000:ff:00.0')
    assert.deepEqual([answer.result, answer.step], [-E.ENODEV, 'VFIO_GROUP_GET_DEVICE_FD'])
    assert.deepEqual(kernel.files(), [])
  })

  scenario('passes a name with a token on as it is', async () => {
    const name = '0000:08:00.2 vf_token=2ab74924-c335-45f4-9b16-8569e5b08258'
    keep(await addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, name))
    assert.ok(kernel.log().includes(`device name ${name}`))
  })

  scenario('shares group and container between two devices and closes them with the last', async () => {
    const [first, second] = [await openInGroup(0), await openInGroup(1)]
    assert.equal(kernel.lines('open_group', 'open_container').length, 2)
    assert.equal(first.fds().group, second.fds().group)
    await first.close()
    assert.deepEqual(kernel.lines('close'), ['close device'])
    assert.equal(await second.getState(), 2)
    await second.close()
    assert.deepEqual(kernel.files(), [])
    assert.equal(kernel.lines('close').length, 4)
  })

  scenario('shares them when both are opened at the same time', async () => {
    await Promise.all([openInGroup(0), openInGroup(1), openInGroup(2)])
    assert.equal(kernel.lines('open_group', 'open_container').length, 2)
  })

  scenario('gives no second fd of a device that this process has open', async () => {
    const device = await openInGroup(0)
    const again = await addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, '0000:08:00.2 vf_token=x')
    assert.deepEqual(
      [again.result, again.step, again.calls],
      [-E.EBUSY, 'VFIO_GROUP_GET_DEVICE_FD', undefined],
    )
    assert.equal(kernel.lines('GROUP_GET_DEVICE_FD').length, 1)
    await device.close()
    await openInGroup(0)
  })

  scenario('keeps the group for the first device when the second does not open', async () => {
    const device = await openInGroup(0)
    kernel.rule('*', 'GROUP_GET_DEVICE_FD', 'fail', E.EAGAIN)
    const second = await addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, '0000:08:00.3')
    assert.equal(second.result, -E.EAGAIN)
    assert.equal(await device.getState(), 2)
    assert.deepEqual(kernel.files().sort(), ['container', 'device', 'group'])
  })

  scenario('opens the group anew after its last device was closed', async () => {
    await (await openInGroup()).close()
    await openInGroup()
    assert.equal(kernel.lines('open_group').length, 2)
  })
})

describe('a thread that does not start', () => {
  const none = { lanes: 0, sessions: 0, devices: 0 }

  for (const openIt of [openCdev, openGroup]) {
    scenario(`is a step of opening that fails: ${openIt.name}`, async () => {
      kernel.rule('*', 'pthread_create', 'fail', E.EAGAIN)
      const answer = await openIt()
      assert.deepEqual([answer.result, answer.step, answer.calls], [-E.EAGAIN, 'start thread', undefined])
      assert.deepEqual(kernel.log(), [])
      assert.deepEqual(alive(), none)
    })
  }

  scenario('leaves an fd that was to be adopted to its owner', () => {
    const fd = openSync('/dev/vfio-fake/lent0', 'r+')
    kernel.rule('*', 'pthread_create', 'fail', E.EAGAIN)
    const { result, step } = addon.adopt(fd, {})
    assert.deepEqual([result, step], [-E.EAGAIN, 'start thread'])
    closeSync(fd)
    assert.deepEqual(alive(), none)
  })

  for (const states of [[STOP, STOP_COPY], [PRE_COPY], [PRE_COPY_P2P], [STOP, RESUMING]]) {
    scenario(`leaves a device as it was that was to go to ${states.join(', ')}`, () =>
      isLeftAsItWas('pthread_create', E.EAGAIN, states),
    )
  }

  scenario('is not needed where no session could begin', async () => {
    const device = await open()
    kernel.rule('*', 'pthread_create', 'fail', E.EAGAIN)
    assert.equal((await device.setStates([RUNNING_P2P, STOP, RUNNING])).done, 3)
    assert.equal(await device.reset(), -E.EAGAIN)
  })

  scenario('is what reset answers', async () => {
    const device = await open()
    kernel.rule('*', 'pthread_create', 'fail', E.EAGAIN)
    assert.equal(await device.reset(), -E.EAGAIN)
    assert.equal(await device.reset(), 0)
  })
})

/** What a session needs failed before the first SET, so that no session of the kernel's is lost. */
async function isLeftAsItWas(operation: string, error: number, states: readonly number[]): Promise<void> {
  const device = await open()
  kernel.rule('*', operation, 'fail', error)
  const { result, done, times, arc, session } = await device.setStates(states)
  assert.deepEqual([result, done, times.length, arc, session], [-error, 0, 1, 0, undefined])
  assert.deepEqual(kernel.lines('SET_STATE'), [])
  assert.deepEqual(alive(), { lanes: 1, sessions: 0, devices: 1 })
  const { result: again, session: opened } = await device.setStates(states)
  assert.equal(again, 0)
  await opened?.close()
}

describe('an eventfd that is not to be had', () => {
  scenario('leaves a device as it was', () => isLeftAsItWas('eventfd', E.EMFILE, [STOP, STOP_COPY]))
})

const steps: readonly (readonly [operation: string, step: OpenStep, open: typeof openCdev])[] = [
  ['open_cdev', 'open cdev', openCdev],
  ['open_iommufd', 'open iommufd', openCdev],
  ['BIND', 'VFIO_DEVICE_BIND_IOMMUFD', openCdev],
  ['open_group', 'open group', openGroup],
  ['GROUP_GET_STATUS', 'VFIO_GROUP_GET_STATUS', openGroup],
  ['open_container', 'open container', openGroup],
  ['GROUP_SET_CONTAINER', 'VFIO_GROUP_SET_CONTAINER', openGroup],
  ['SET_IOMMU', 'VFIO_SET_IOMMU', openGroup],
  ['GROUP_GET_DEVICE_FD', 'VFIO_GROUP_GET_DEVICE_FD', openGroup],
]

describe('a step of opening that fails', () => {
  for (const [operation, step, openIt] of steps) {
    for (const name of ['EACCES', 'EBUSY', 'ENODEV', 'EINTR', 'EMFILE'] as const) {
      scenario(`is named with its errno and undone: ${step} with ${name}`, async () => {
        kernel.rule('*', operation, 'fail', E[name])
        const answer = await openIt()
        assert.deepEqual([answer.result, answer.step, answer.calls], [-E[name], step, undefined])
        assert.deepEqual(kernel.files(), [])
        assert.deepEqual(alive(), { lanes: 0, sessions: 0, devices: 0 })
        keep(await openIt())
      })
    }
  }
})
