// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDevice } from '#lib/index.js'
import { testHardware, type HardwareOptions, type HardwareReport } from '../hardware/run.ts'
import { openBottle, type Bottle } from './bottle.ts'
import { createMtty } from './mtty.ts'

/** A participant that knows the simulated firmware: a step of its workload is state, its digest is what it has. */
const script = `#!/bin/sh
firmware=/sys/kernel/debug/vfio_migrate_firmware/$2
case $1 in
  write) echo 5 > "$firmware/step" ;;
  read) cut -d ' ' -f 1 "$firmware/digest" ;;
esac
`

function writeScript(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'participant-')), 'participant')
  writeFileSync(path, text)
  return `sh ${path}`
}

describe('the run on real functions', () => {
  let bottle: Bottle
  let names: [string, string]
  before(async () => {
    bottle = await openBottle({ functions: 2, size: 64 * 1024 })
    names = bottle.functions.map(({ address }) => address) as [string, string]
  })
  after(async () => {
    await bottle[Symbol.asyncDispose]()
  })

  const runOn = async (
    [device, peer]: readonly [string, string],
    more: Partial<HardwareOptions> = {},
  ): Promise<{ report: HardwareReport; lines: string }> => {
    const lines: string[] = []
    const say = (line: string): unknown => lines.push(line)
    const report = await testHardware({ device, peer, ...more, say })
    return { report, lines: lines.join('\n') }
  }

  it('passes both levels on two bottled functions with a participant', async () => {
    const { report, lines } = await runOn(names, { participant: writeScript(script), grep: 'SET' })
    assert.deepEqual(report.failed, [], lines)
    assert.equal(report.proven, 4)
    assert.ok(report.passed.length > 20, `${report.passed.length} passed`)
    assert.ok(report.notRun.includes('fails-RUNNING-STOP_COPY-QUERY'))
    for (const name of names) assert.ok(lines.includes(`This resets`) && lines.includes(name))
    assert.match(lines, /SET STOP_COPY +\d+ times, median +\d/)
  })

  it('is told by the participant when state did not arrive', async () => {
    const liar = writeScript(`[ "$1" = read ] && date +%s%N; exit 0`)
    const { report } = await runOn(names, { participant: liar, level: 2 })
    assert.equal(report.proven, 0)
    assert.equal(report.failed.length, 4)
  })

  it('proves nothing with a participant that reads the same of everything, or is killed', async () => {
    for (const body of ['[ "$1" = read ] && echo the same; exit 0', 'kill -9 $$']) {
      const { report, lines } = await runOn(names, { participant: writeScript(body), level: 2 })
      assert.deepEqual([report.proven, report.failed.length], [0, 4], lines)
    }
  })

  it('begins nothing more when it is interrupted, and leaves both devices RUNNING', async () => {
    const interruption = new AbortController()
    const lines: string[] = []
    const [device, peer] = names
    const say = (line: string): void => {
      lines.push(line)
      if (line.includes('✔')) interruption.abort()
    }
    const report = await testHardware({ device, peer, grep: 'reset', say, signal: interruption.signal })
    assert.deepEqual([report.passed.length, report.failed], [1, []], lines.join('\n'))
    assert.ok(lines.some(line => line.includes('it was interrupted')))
  })

  it('fails when no rule was run', async () => {
    const { report } = await runOn(names, { level: 1, grep: 'no rule has this text' })
    assert.deepEqual([report.passed, report.failed], [[], ['nothing-ran']])
  })

  it('refuses one device by two names, a name that is none, and a device that is open elsewhere', async () => {
    const [device, peer] = names
    await assert.rejects(runOn([device, device.replace('0000:', '')]), /are one device/)
    await assert.rejects(runOn([device, '0000:7f:1f.7']), { code: 'ERR_VFIO_NO_DEVICE' })
    const resets = await bottle.functions[0]?.resets()
    await using other = await openDevice(peer)
    await assert.rejects(runOn([peer, device]), /EBUSY|EINVAL/)
    assert.equal(await bottle.functions[0]?.resets(), resets)
    assert.equal(await other.state(), 'RUNNING')
  })

  it('claims nothing about state without a participant', async () => {
    await using one = await createMtty()
    await using two = await createMtty()
    const { report, lines } = await runOn([one.uuid, two.uuid])
    assert.ok(report.passed.length > 100, `${report.passed.length} passed`)
    assert.deepEqual([report.failed, report.proven], [[], undefined], lines)
    assert.match(lines, /nothing is claimed/)
  })

  it('refuses two devices that are not alike', async () => {
    await using one = await createMtty()
    await assert.rejects(runOn([names[0], one.uuid]), /are not alike/)
  })
})
