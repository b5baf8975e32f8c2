// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openDevice, unixParticipant, type Device, type Participant } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'
import { moments } from '#lib/migration/participant.js'
import { Participation } from '#lib/migration/participation.js'
import { Peer } from '../participant/peer.js'
import { blocksOf, projectText } from './markdown.js'

const page = projectText('docs/participant.md')

describe('docs/participant.md', () => {
  let source: readonly Device[]
  let destination: readonly Device[]

  before(async () => {
    source = [await openDevice(new MockDevice({ name: '0000:08:00.2' }))]
    destination = [await openDevice(new MockDevice({ name: '0000:08:00.3' }))]
  })

  after(async () => {
    for (const device of [...source, ...destination]) await device.close()
  })

  /** Calls a participant as in a migration that succeeds; answers what it was given back at `restored`. */
  async function migrateWith(participant: Participant): Promise<readonly Uint8Array[]> {
    const one = new Participation(participant, { clock: source[0]?.clock ?? assert.fail() })
    await one.quiesce(source)
    const sideData = await one.stopped(source)
    await one.restored(destination, sideData)
    await one.running(destination)
    await one.released(source, 'destination')
    return sideData
  }

  it('explains every moment, and what its failure means', () => {
    for (const moment of moments) assert.equal(page.match(new RegExp(`^\\| \`${moment}\``, 'gm'))?.length, 2)
  })

  it('shows an example that does what it says', async () => {
    const example = projectText('test/unit/docs/examples/participant_vmm.ts').replace(/^\/\/ SPDX.*\n/, '')
    assert.deepEqual(blocksOf(page, 'ts'), [example])
    await import('./examples/participant_vmm.js')
  })

  it('shows the session that is spoken, byte by byte', async () => {
    const [session = ''] = blocksOf(page, 'text')
    const lines = session.trimEnd().split('\n')
    const [ours, theirs] = ['> ', '< '].map(side =>
      lines.filter(line => line.startsWith(side)).map(line => line.slice(2)),
    )
    const heard: string[] = []
    await using peer = await Peer.listen(message => {
      heard.push(JSON.stringify(message))
      peer.send(`${theirs?.[heard.length - 1] ?? ''}\n`)
    })
    using participant = await unixParticipant(peer.path)
    const [sideData] = await migrateWith(participant)
    assert.equal(Buffer.from(sideData ?? []).toString(), 'vCPUs')
    assert.deepEqual(heard, ours)
  })

  it('shows a participant in Node that speaks it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-docs-'))
    const [program, path] = [join(directory, 'server.mjs'), join(directory, 'socket')]
    writeFileSync(program, blocksOf(page, 'js')[0] ?? '')
    const server = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const said = createInterface(server.stdout)[Symbol.asyncIterator]()
      const next = async (): Promise<unknown> => (await said.next()).value
      assert.equal(await next(), 'listening')
      using participant = await unixParticipant(path)
      await migrateWith(participant)
      assert.deepEqual(
        [await next(), await next(), await next()],
        ['the vCPUs are paused', 'restored: vCPUs', 'the vCPUs run on the other side'],
      )
    } finally {
      server.kill()
      await once(server, 'close')
      rmSync(directory, { recursive: true })
    }
  })
})
