// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { Interrupted, interruptedExit, Interruption, withTimeout } from '#lib/cli/interruption.js'

function signals(): { source: EventEmitter; interruption: Interruption; seconds: string[] } {
  const source = new EventEmitter()
  const seconds: string[] = []
  return { source, seconds, interruption: new Interruption(source, name => seconds.push(name)) }
}

describe('Interruption', () => {
  it('aborts with the first signal and ends with the second', () => {
    const { source, interruption, seconds } = signals()
    source.emit('SIGINT')
    assert.ok(interruption.signal.aborted)
    assert.equal((interruption.signal.reason as Interrupted).by, 'SIGINT')
    assert.deepEqual(seconds, [])
    source.emit('SIGTERM')
    assert.deepEqual(seconds, ['SIGTERM'])
  })

  it('takes a hangup for a signal like the others: a session that drops leaves no device half moved', () => {
    const { source, interruption, seconds } = signals()
    source.emit('SIGHUP')
    assert.equal((interruption.signal.reason as Interrupted).by, 'SIGHUP')
    source.emit('SIGHUP')
    assert.deepEqual(seconds, ['SIGHUP'])
  })

  it('gives signals away while they are diverted', () => {
    const { source, interruption, seconds } = signals()
    const taken: string[] = []
    const stop = interruption.divert(name => taken.push(name))
    source.emit('SIGTERM')
    source.emit('SIGTERM')
    assert.deepEqual(taken, ['SIGTERM', 'SIGTERM'])
    assert.ok(!interruption.signal.aborted)
    stop()
    source.emit('SIGTERM')
    assert.ok(interruption.signal.aborted)
    assert.deepEqual(seconds, [])
  })
})

describe('interruptedExit', () => {
  it('knows 130, 143, 129 and 124, behind other errors too', () => {
    const others = [new Error('first')]
    assert.equal(interruptedExit([...others, new Interrupted('SIGINT')]), 130)
    assert.equal(interruptedExit([...others, new Interrupted('SIGTERM')]), 143)
    assert.equal(interruptedExit([...others, new Interrupted('SIGHUP')]), 129)
    assert.equal(interruptedExit([...others, new Interrupted('timeout')]), 124)
  })

  it('takes an abort of unknown reason for SIGINT, and other errors for no interruption', () => {
    const abort = Object.assign(new Error('aborted'), { name: 'AbortError' })
    assert.equal(interruptedExit([abort]), 130)
    assert.equal(interruptedExit([new Error('x')]), undefined)
  })
})

describe('withTimeout', () => {
  it('fires after any part of a millisecond', async () => {
    const signal = withTimeout(new AbortController().signal, 0.0005)
    await once(signal, 'abort')
    assert.equal((signal.reason as Interrupted).by, 'timeout')
  })

  it('takes seconds that are no whole milliseconds as floating point has them', () => {
    const outer = new AbortController()
    const signal = withTimeout(outer.signal, 1.005)
    outer.abort(new Interrupted('SIGINT'))
    assert.equal((signal.reason as Interrupted).by, 'SIGINT')
  })
})
