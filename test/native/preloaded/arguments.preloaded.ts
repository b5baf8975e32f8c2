// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Pump, SessionCalls } from '#lib/backend/seam.js'
import { addon, addonPath } from './addon.js'
import { kernel } from './kernel.js'
import { RUNNING, STOP_COPY, enter, open, scenario } from './scenario.js'

/** Calls a method as no TypeScript would. */
function call(self: unknown, owner: object, method: string, values: readonly unknown[]): unknown {
  return Reflect.apply(Reflect.get(owner, method) as (...values: unknown[]) => unknown, self, values)
}

/** Each list is one wrong way to call the method. */
const wrong: Readonly<
  Record<'addon' | 'device' | 'session', Readonly<Record<string, readonly unknown[][]>>>
> = {
  addon: {
    openCdev: [
      [],
      [1, '/dev/iommu'],
      ['/dev/vfio/devices/vfio0'],
      ['/a', '/b', 'token'],
      ['/a', '/b', new Uint8Array(15)],
    ],
    openGroup: [[], ['/dev/vfio/7', '/dev/vfio/vfio', '1', 'name'], ['/dev/vfio/7', '/dev/vfio/vfio', 1]],
    adopt: [
      [],
      [0],
      ['3', {}],
      [-1, {}],
      [1.5, {}],
      [0, 'companions'],
      [0, null],
      [0, { iommufd: -1 }],
      [0, { group: '1' }],
      [0, { container: null }],
    ],
    barrier: [[], ['2'], [0], [-1], [1.5], [2 ** 31]],
    lockFile: [[], [1], [''], ['a\0b']],
  },
  device: {
    regionInfo: [[], ['0'], [-1], [1.5], [2 ** 32]],
    regionRead: [
      [],
      [0, 1],
      [-1, 1, 1],
      [0, -1, 1],
      [0, 1, 3],
      [0, 1, 0],
      [0, 5, 4],
      [NaN, 1, 1],
      [2 ** 60, 1, 1],
    ],
    regionWrite: [
      [],
      [0, 'data', 1],
      [0, new Uint8Array(4), 3],
      [0, new Uint8Array(5), 4],
      [0, new Uint16Array(4), 1],
    ],
    probe: [[], ['1', 0], [1], [1, -1], [1, {}]],
    setStates: [
      ...[[], [1], ['RUNNING'], [['RUNNING']], [[1.5]], [[-1]], [[2 ** 32]], [null]],
      ...[1, null, {}, { before: 0 }, { before: 0, barrier: {} }, { barrier: addon.barrier(1) }].map(gate => [
        [1],
        gate,
      ]),
      ...[1, -1, 0.5, '0', null].map(before => [[1], { before, barrier: addon.barrier(1) }]),
      [[], { before: 0, barrier: addon.barrier(1) }],
      [[1], { before: 0, barrier: Object.create(addon.barrier(1)) as object }],
    ],
    dmaLoggingStart: [
      [],
      [4096],
      [4096, [0n, 4096n]],
      [4096, new BigUint64Array(3)],
      [4096, new Uint8Array(16)],
      [-1, new BigUint64Array(2)],
    ],
    dmaLoggingReport: [
      [],
      [0, 4096, 4096],
      [0n, 4096n],
      [-1n, 4096n, 4096],
      [0n, 1n << 64n, 4096],
      [0n, 4096n, '4096'],
    ],
  },
  session: {
    read: [[], [10], ['10', 0], [0, 0], [-1, 0], [10, -1], [NaN, 0]],
    write: [[], ['text'], [[1, 2]], [null], [new ArrayBuffer(8)], [new Uint16Array(4)]],
    pumpTo: [[], ['1', 1, 0, 0], [-1, 1, 0, 0], [1, 0, 0, 0], [1, 1, -1, 0], [1, 1, 0], [1, 1, 0, -1]],
    putTo: [[], ['1', new Uint8Array(1)], [-1, new Uint8Array(1)], [1], [1, 'text'], [1, new ArrayBuffer(1)]],
    pumpFrom: [[], ['1', 1, 0], [2 ** 31, 1, 0], [1, 0, 0], [1, 0.5, 0], [1, 1], [1, 1, Infinity]],
  },
}

function refuses(object: object, methods: Readonly<Record<string, readonly unknown[][]>>): void {
  for (const [method, lists] of Object.entries(methods)) {
    for (const values of lists) {
      assert.throws(
        () => call(object, object, method, values),
        TypeError,
        `${method}(${values.map(String).join(', ')})`,
      )
    }
  }
}

/** A pump that is over. */
function pumpOf(session: SessionCalls): Pump {
  const pump = session.pumpTo?.(0, 1, 0, 0)
  assert.ok(pump)
  pump.cancel()
  return pump
}

describe('an argument mistake', () => {
  scenario('of the addon is a TypeError, thrown before any call', () => {
    refuses(addon, wrong.addon)
    assert.deepEqual(kernel.log(), [])
  })

  scenario('of a device is a TypeError, thrown before any call', async () => {
    const device = await open()
    const before = kernel.log()
    refuses(device, wrong.device)
    assert.deepEqual(kernel.log(), before)
    assert.equal(await device.getState(), RUNNING)
  })

  scenario('of a session is a TypeError, thrown before any call', async () => {
    const session = await enter(await open(), STOP_COPY)
    const before = kernel.log()
    refuses(session, wrong.session)
    assert.deepEqual(kernel.log(), before)
    assert.equal((await session.read(10, 0)).result, 10)
  })

  scenario('that throws when it is looked at is thrown on as it is', async () => {
    const device = await open()
    const thrown = new RangeError('by a getter')
    const spoil = (target: object, key: PropertyKey) =>
      Object.defineProperty(target, key, {
        get: () => {
          throw thrown
        },
      })
    const before = kernel.log()
    assert.throws(() => device.setStates(spoil([1, 2], 0) as number[]), thrown)
    assert.throws(() => device.setStates(spoil([1, 2], 1) as number[]), thrown)
    assert.throws(() => addon.adopt(0, spoil({}, 'group')), thrown)
    const gate = { barrier: addon.barrier(2), before: 0 }
    assert.throws(() => device.setStates([1], spoil({ ...gate }, 'before') as typeof gate), thrown)
    assert.throws(() => device.setStates([1], spoil({ ...gate }, 'barrier') as typeof gate), thrown)
    assert.deepEqual(kernel.log(), before)
  })

  scenario('of `this` is a TypeError', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY)
    const methods = (object: object) =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter(name => name !== 'constructor')
    assert.ok(methods(device).includes('setStates') && methods(session).includes('precopyInfo'))
    const barrier = addon.barrier(1)
    const { lock } = addon.lockFile(addonPath)
    assert.ok(lock)
    const pump = pumpOf(session)
    for (const [owner, stranger] of [
      [barrier, device],
      [pump, session],
      [device, barrier],
      [lock, barrier],
      [device, session],
      [session, device],
      [device, {}],
      [session, Object.create(session) as object],
    ] as const) {
      for (const name of methods(owner)) {
        assert.throws(() => call(stranger, owner, name, []), TypeError, name)
      }
    }
    lock.release()
  })

  scenario('in making an object is a TypeError: they are not made by new', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY)
    const { lock } = addon.lockFile(addonPath)
    assert.ok(lock)
    for (const object of [device, session, addon.barrier(1), pumpOf(session), lock] as readonly object[]) {
      const made = Reflect.get(object, 'constructor') as new (...values: unknown[]) => unknown
      if (made === Object) continue
      assert.throws(() => new made(), TypeError)
      assert.throws(() => new made(3, 4), TypeError)
    }
    lock.release()
  })
})
