// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Io } from '#lib/cli/context.js'
import { run } from '#lib/cli/run.js'
import { move } from '#lib/cli/schemas/move.js'
import { plan } from '#lib/cli/schemas/plan.js'
import { TwoDevices } from './devices.js'
import { capturedIo, terminal, type CapturedIo } from './streams.js'

const moving = ['move', 'fd:3', 'fd:4', '--release']
const escape = String.fromCharCode(27)

describe('what a move tells beforehand', () => {
  it('has warnings before the first arc, and in its report', async () => {
    const devices = new TwoDevices()
    const { text } = devices.io.stderr
    devices.source.hold = () => {
      assert.match(devices.io.stderr.text, /^warning: .*scripted/m)
      return Promise.resolve()
    }
    assert.equal(await devices.run(...moving, '--json'), 0, devices.io.stderr.text)
    assert.equal(text, '')
    const found = devices.json(move).findings.map(({ id, overridden }) => [id, overridden])
    assert.ok(found.some(([id, overridden]) => id === 'driver-unknown' && overridden === false))
  })

  it('has a rule that was overridden all the same', async () => {
    const devices = new TwoDevices()
    assert.equal(
      await devices.run(...moving, '--override', 'driver-unknown', '--override', 'size-unknown'),
      0,
    )
    assert.match(devices.io.stderr.text, /^overridden \(driver-unknown\): /m)
    assert.doesNotMatch(devices.io.stderr.text, /^warning: .*scripted/m)
  })

  it('has in a plan a size that the driver does not tell, and sets nothing for it', async () => {
    const devices = new TwoDevices()
    assert.equal(await devices.run('move', 'fd:3', 'fd:4', '--dry-run', '--json'), 0)
    assert.equal(devices.json(plan).plan.pairs[0]?.source.device, 'source')
    assert.ok(![...devices.source.log, ...devices.destination.log].some(entry => entry.startsWith('SET')))
  })
})

describe('the bars of a move', () => {
  const argv = (...words: string[]): string[] => ['node', 'vfio-migrate', 'move', ...words, '--release']
  const pair = ['mock:name=a,size=4MiB', 'mock:name=b,size=4MiB', '--bandwidth', '16MiB/s']
  const set = [...pair, 'mock:name=c', 'mock:name=d']

  async function drawn(words: readonly string[], more: Partial<Io> = {}): Promise<CapturedIo> {
    const io = capturedIo(more)
    terminal(io.stderr)
    assert.equal(await run(argv(...words), io), 0, io.stderr.text)
    return io
  }

  it('are a line for each device on a terminal, with its phase, bytes and rate', async () => {
    const { stderr } = await drawn(set)
    assert.match(stderr.text, /a → b \[ +\] preflight {2}0 bytes/)
    assert.match(stderr.text, /c → d \[ +\] preflight {2}0 bytes/)
    assert.match(stderr.text, /a → b \[=* *\] \S.* {2}\d+\.\d MiB {2}\d+\.\d MiB\/s/)
  })

  it('tell what downtime is foreseen, and why it is not switched yet', async () => {
    const { stderr } = await drawn([
      'mock:size=4MiB,dirty=4MiB/s',
      'mock:size=4MiB',
      '--bandwidth',
      '16MiB/s',
    ])
    assert.match(stderr.text, /foreseen downtime \d+\.\d{3} ms, not yet: /)
  })

  it('leave the terminal as it was, and the summary in their place', async () => {
    const { stderr } = await drawn(pair)
    assert.match(stderr.text.slice(stderr.text.lastIndexOf(escape)), /^.\[0Jsource +a, /)
    // Neither the cursor nor wrapping was switched off: a command that dies could not switch it on.
    for (const mode of ['[?25l', '[?7l']) assert.ok(!stderr.text.includes(`${escape}${mode}`))
  })

  it('are none with --json, and none where nobody looks', async () => {
    const { stderr } = await drawn([...pair, '--json'])
    assert.ok(!stderr.text.includes('→'), stderr.text)
    const io = capturedIo()
    assert.equal(await run(argv(...pair), io), 0)
    assert.ok(!io.stderr.text.includes(escape) && !io.stderr.text.includes('['))
  })

  it('let what is said come above them', async () => {
    const { stderr } = await drawn(pair, { whenAsked: answer => queueMicrotask(answer) })
    const [, after = ''] = stderr.text.split('vfio-migrate: preflight; 0 bytes moved\n')
    assert.match(after.slice(0, 20), /a → b \[/)
  })
})
