// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { run } from '#lib/cli/run.js'
import { capturedIo, terminal } from './streams.js'

const argv = (...words: string[]): string[] => ['node', 'vfio-migrate', ...words]

describe('run', () => {
  it('runs one command after another in one process', async () => {
    const io = capturedIo()
    assert.equal(await run(argv('fsm', '--from', 'STOP', '--to', 'STOP_COPY'), io), 0)
    assert.equal(await run(argv('fsm', '--bar'), io), 2)
    assert.equal(await run(argv('fsm', '--from', 'RUNNING', '--to', 'PRE_COPY'), io), 0)
    assert.equal(io.stdout.text, 'STOP → STOP_COPY\nRUNNING → PRE_COPY\n')
    assert.match(io.stderr.text, /unknown option '--bar'/)
  })

  it('asks before a reset, and takes anything but yes for no', async () => {
    const stdin = terminal(new PassThrough())
    const io = capturedIo({ stdin })
    terminal(io.stderr)
    stdin.write('n\n')
    assert.equal(await run(argv('reset', 'fd:987'), io), 2)
    assert.match(io.stderr.text, /Reset 'fd:987'\? Its state is lost/)
    assert.match(io.stderr.text, /'fd:987' was not reset/)
  })

  it('leaves everything behind --exec to the program', async () => {
    for (const exec of [['--exec', 'sh'], ['--exec=sh']]) {
      const io = capturedIo()
      const exit = await run(argv('move', 'fd:987', 'fd:988', ...exec, '--json', '--release', '--exec=x'), io)
      assert.equal(exit, 3, io.stderr.text)
      assert.equal(io.stdout.text, '')
      assert.match(io.stderr.text, /fd 987 is no VFIO device/)
    }
  })

  it('indents JSON for a person, and gives a program one line', async () => {
    const io = capturedIo()
    await run(argv('fsm', '--from', 'STOP', '--to', 'STOP_COPY', '--json'), io)
    assert.equal(io.stdout.text.split('\n').length, 2)
    terminal(io.stdout)
    await run(argv('fsm', '--from', 'STOP', '--to', 'STOP_COPY', '--json'), io)
    assert.ok(io.stdout.text.split('\n').length > 5)
  })
})
