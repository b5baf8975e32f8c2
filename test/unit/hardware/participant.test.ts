// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { participant } from '../../hardware/participant.ts'
import { eventually } from '../../kernel/bottle_wait.ts'

describe('a participant', () => {
  let directory: string
  let device: number
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'participant-'))
    device = openSync('/dev/null', 'r+')
  })
  after(() => {
    closeSync(device)
    rmSync(directory, { recursive: true })
  })

  const read = (command: string, milliseconds?: number): Promise<string> =>
    participant(command, milliseconds).read('0000:01:00.0', { device })

  it('is given the verb and the name, and answers one line', async () => {
    assert.equal(await read('echo state of'), 'state of read 0000:01:00.0')
  })

  it('has the device as its fd 3', async () => {
    assert.equal(await read('readlink /proc/self/fd/3 #'), '/dev/null')
  })

  it('fails when it dies, in its own words', async () => {
    await assert.rejects(read('exit 7 #'), /^Error: participant read 0000:01:00.0 ended with 7$/)
    await assert.rejects(read('kill -9 $$ #'), /ended with SIGKILL/)
    await assert.rejects(read('/no/such/program'), /ended with 127/)
  })

  it('fails when it prints nothing, or more than a line', async () => {
    await assert.rejects(read('true'), /printed no one line/)
    await assert.rejects(read('printf "one\\ntwo\\n" #'), /printed no one line/)
  })

  it('is ended when it prints without end', async () => {
    await assert.rejects(read('yes'), /printed more than 65536 characters/)
  })

  it('is ended with all that it started when it does not come to its end', async () => {
    const pid = join(directory, 'pid')
    await assert.rejects(read(`sleep 1000 & echo $! > ${pid}; wait #`, 500), /has not ended after 0.5 s/)
    const stat = `/proc/${readFileSync(pid, 'utf8').trim()}/stat`
    // It is gone, or waits for nobody but its parent.
    const state = (): Promise<string> => readFile(stat, 'utf8').catch(() => ' Z ')
    await eventually(async () => (await state()).includes(' Z '))
  })
})
