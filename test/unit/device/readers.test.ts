// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { Readers } from '#lib/device/readers.js'

describe('readers of a stream', () => {
  const failure = new Error('failed')
  function readers() {
    const stream = new PassThrough()
    return { stream, readers: new Readers(stream, () => failure) }
  }

  it('are all told to look again, whenever they have begun to wait since they were told last', async () => {
    const { readers: told } = readers()
    const log: string[] = []
    const first = told.changed().then(() => log.push('first'))
    const second = told.changed().then(() => log.push('second'))
    told.wake()
    const third = told.changed().then(() => log.push('third'))
    await Promise.all([first, second])
    assert.deepEqual(log, ['first', 'second'])
    told.wake()
    await third
    told.wake()
  })

  it('look whenever they are told to, until there is an answer', async () => {
    const { readers: waiting } = readers()
    const answers = [undefined, undefined, 'more'] as const
    let looks = 0
    const until = waiting.until(() => answers[looks++])
    for (const seen of [1, 2]) {
      assert.deepEqual([looks, waiting.count], [seen, 1])
      waiting.wake()
      await turn()
    }
    assert.equal(await until, 'more')
    assert.equal(waiting.count, 0)
  })

  it('are told the failure when the events have told it, and nothing between', async () => {
    const { stream, readers: told } = readers()
    told.enter()
    const until = told.until(() => undefined)
    stream.destroy(failure)
    assert.equal(
      told.look(() => 'more'),
      undefined,
    )
    await assert.rejects(until, failure)
    assert.throws(() => told.look(() => 'more'), failure)
  })

  it('find the end whatever they look for', async () => {
    const { stream, readers: told } = readers()
    const until = told.until(() => undefined)
    stream.end()
    stream.resume()
    assert.equal(await until, 'end')
    assert.equal(
      told.look(() => 'more'),
      'end',
    )
  })
})
