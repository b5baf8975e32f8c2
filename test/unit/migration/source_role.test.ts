// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Scene } from '../../matrix/case.js'
import { speak } from '../../matrix/roles.js'

const mlx5: Scene = { flavour: 'mlx5', members: 2, origin: 'opened', precopy: false }

describe('the source of a migration', () => {
  it('says that it yields when each device has given the first bytes of its image, and ends none before', async () => {
    const { sent } = await speak({ scene: mlx5 })
    const before = sent.slice(0, sent.indexOf('yielded'))
    assert.ok(before.filter(kind => kind === 'data').length >= mlx5.members, sent.join())
    assert.ok(!before.includes('end'), sent.join())
  })

  it('says it before anything has come of a device whose driver announces nothing', async () => {
    const { sent } = await speak({ scene: { ...mlx5, flavour: 'pds' } })
    assert.ok(!sent.slice(0, sent.indexOf('yielded')).includes('data'), sent.join())
  })

  it('asks nobody whether it may run again, as long as it has not said so', async () => {
    const on = { on: 'READ', errno: 'EFAULT' } as const
    const { sent, facts, report } = await speak({
      scene: mlx5,
      faults: [{ side: 'source', member: 1, fault: on }],
    })
    assert.equal(report?.outcome, 'source')
    assert.ok(!sent.includes('yielded'), sent.join())
    assert.deepEqual(facts.source, ['yielded', 'reclaimed'])
  })

  it('has the destination run from when the word came, less half of what a message and its answer take', async () => {
    const { times: near } = await speak({ scene: mlx5 })
    const { times: far } = await speak({ scene: mlx5, roundTripMs: 20 })
    assert.equal(far.stoppingAt, near.stoppingAt)
    assert.equal((near.runningAt ?? NaN) - (far.runningAt ?? NaN), 10)
  })
})
