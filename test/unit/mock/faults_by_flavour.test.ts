// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock, type FlavourName, type MockOptions } from 'vfio-migrate/mock'
import { faultPoints } from '#lib/mock/faults.js'
import { pairOf } from '../migration/pair.js'
import { failed, left, words } from './fault_outcome.js'
import { migrationsOf } from './fault_table_by_flavour.js'
import type { Row } from './fault_table.js'

const sized: readonly string[] = ['virtio', 'pds', 'xe']

async function outcome(flavour: FlavourName, { at, fault }: Row): Promise<unknown> {
  const clock = new VirtualClock()
  const common: MockOptions = {
    flavour,
    clock,
    dirty: '16MiB/s',
    ...(sized.includes(flavour) && { size: '32KiB' }),
  }
  const source = new MockDevice({ ...common, seed: 1n, name: 'source' })
  const destination = new MockDevice({ ...common, seed: 2n, name: 'destination' })
  await using from = await openDevice(source.lend())
  await using to = await openDevice(destination.open())
  await clock.sleep(10)
  const faulty = at === 'source' ? source : destination
  faulty.inject(fault)
  const ended = await migrate({ from, to, maxRounds: 2 }).then(
    report => ({ code: 'moved', pair: pairOf(report) }),
    (error: unknown) => failed(error),
  )
  assert.deepEqual(faulty.unusedFaults(), [], 'the fault was never reached')
  return {
    code: ended.code,
    source: left(source, ended.pair.source),
    destination: left(destination, ended.pair.destination),
  }
}

/** A migration has nothing to do with them. */
const besides: readonly string[] = ['RESET', 'LOG_START', 'LOG_REPORT', 'TRACKER']

for (const [flavour, rows] of Object.entries(migrationsOf) as [FlavourName, readonly Row[]][]) {
  describe(`a migration of ${flavour} in which one thing goes wrong`, () => {
    for (const row of rows) {
      const { code, source, destination } = row
      it(`${words(row)}: ${code}, source ${source.join(' ')}, destination ${destination.join(' ')}`, async () => {
        assert.deepEqual(await outcome(flavour, row), { code, source, destination })
      })
    }

    it('has a row of every point that is no arc', () => {
      const { options } = new MockDevice({ flavour })
      const points = Object.keys(faultPoints({ flavour, capabilities: options.capabilities }))
      const told = new Set<string>([...besides, ...rows.map(({ fault }) => fault.on)])
      assert.deepEqual(
        points.filter(point => !point.includes('->') && !told.has(point)),
        [],
      )
    })
  })
}

describe('a function that its driver stops with one command', () => {
  for (const flavour of ['virtio', 'qat', 'xe', 'hisi_acc'] as const) {
    it(`runs on where that fails: ${flavour}`, async () => {
      const clock = new VirtualClock()
      const mock = new MockDevice({ flavour, clock, dirty: '16MiB/s' })
      await using device = await openDevice(mock.open())
      mock.inject({ on: 'SUSPEND_RESPONDER', status: 4 })
      await assert.rejects(device.setState('STOP'), { code: 'EIO', state: 'RUNNING' })
      const { epoch } = mock
      await clock.sleep(10)
      assert.ok(mock.epoch > epoch)
    })
  }
})
