// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

describe('the run on real functions', function () {
  this.timeout(300_000)
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
    assert.equal(report.moved, 4)
    assert.ok(report.passed.length > 20, `${report.passed.length} passed`)
    assert.ok(report.notRun.includes('fails-RUNNING-STOP_COPY-QUERY'))
    for (const name of names) assert.ok(lines.includes(`This resets`) && lines.includes(name))
    assert.match(lines, /SET STOP_COPY +\d+ times, median +\d/)
  })

  it('is told by the participant when state did not arrive', async () => {
    const liar = writeScript(`[ "$1" = read ] && date +%s%N; exit 0`)
    const { report } = await runOn(names, { participant: liar, level: 2 })
    assert.equal(report.moved, 0)
    assert.equal(report.failed.length, 4)
  })

  it('claims nothing about state without a participant', async () => {
    await using one = await createMtty()
    await using two = await createMtty()
    const { report, lines } = await runOn([one.uuid, two.uuid])
    assert.ok(report.passed.length > 100, `${report.passed.length} passed`)
    assert.deepEqual([report.failed, report.moved], [[], undefined], lines)
    assert.match(lines, /nothing is claimed/)
  })

  it('refuses two devices that are not alike', async () => {
    await using one = await createMtty()
    await assert.rejects(runOn([names[0], one.uuid]), /are not alike/)
  })
})
