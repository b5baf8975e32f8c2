// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { parse } from 'valibot'
import { failure } from '#lib/cli/schemas/failure.js'
import { Peer } from '../unit/participant/peer.js'
import { main } from './command.js'

/** A move whose participant answers at no moment but those that it is told to, so that it stands there. */
class Standing {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  stdout = ''
  stderr = ''
  readonly #peer: Peer
  readonly #ended: Promise<unknown[]>
  #changed: () => void = () => undefined

  private constructor(peer: Peer, words: readonly string[]) {
    this.#peer = peer
    const all = [main, 'move', ...words, '--participant', `unix:${peer.path}`]
    this.child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#changed()
    })
    this.#ended = once(this.child, 'close')
  }

  static async begin(words: readonly string[], answers: readonly string[]): Promise<Standing> {
    const peer = await Peer.listen((message, say) => {
      if ('hello' in message) say({ hello: 'peer', version: 1 })
      else if (answers.includes(String(message.moment))) say({ id: message.id, ok: true })
      standing.#changed()
    })
    const standing = new Standing(peer, words)
    return standing
  }

  async until(met: () => boolean): Promise<void> {
    while (!met()) {
      assert.equal(this.child.exitCode, null, this.stderr)
      await new Promise<void>(resolve => (this.#changed = resolve))
    }
  }

  /** It stands at this moment of the participant. */
  async at(moment: string): Promise<void> {
    await this.until(() => this.#peer.heard.some(message => message.moment === moment))
  }

  /** Lets it go on from a moment at which it stands. */
  answer(moment: string): void {
    const id = this.#peer.heard.find(message => message.moment === moment)?.id
    this.#peer.send(`${JSON.stringify({ id, ok: true })}\n`)
  }

  async said(words: RegExp): Promise<void> {
    await this.until(() => words.test(this.stderr))
  }

  heard(): unknown[] {
    return this.#peer.heard.map(({ moment }) => moment).filter(Boolean)
  }

  async exit(): Promise<unknown> {
    const [exit] = await this.#ended
    return exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#ended
    await this.#peer[Symbol.asyncDispose]()
  }
}

const pair = ['mock:name=a', 'mock:name=b', '--release']

describe('a signal while a move goes on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-signals-'))
  after(() => rmSync(directory, { recursive: true }))

  it('SIGUSR1: prints where it stands, as often as it comes, and starts no debugger', async () => {
    await using standing = await Standing.begin(pair, ['released', 'resumed'])
    await standing.at('quiesce')
    const line = /^vfio-migrate: quiesce; \d+\.\d [KM]iB moved; foreseen downtime \d+\.\d{3} ms$/gm
    for (const times of [1, 2]) {
      standing.child.kill('SIGUSR1')
      await standing.until(() => (standing.stderr.match(line) ?? []).length === times)
    }
    standing.child.kill('SIGTERM')
    assert.equal(await standing.exit(), 143)
    assert.doesNotMatch(standing.stderr, /[Dd]ebugger/)
  })

  it('SIGINT once: says that everything is put back, and puts it back', async () => {
    await using standing = await Standing.begin([...pair, '--json'], ['released', 'resumed'])
    await standing.at('quiesce')
    standing.child.kill('SIGINT')
    assert.equal(await standing.exit(), 130)
    assert.match(
      standing.stderr,
      /^vfio-migrate: interrupted by SIGINT: everything is being put back, as it was before\. Once more ends at once/m,
    )
    assert.deepEqual(standing.heard(), ['quiesce', 'resumed', 'released'])
    const { error, report } = parse(failure, JSON.parse(standing.stdout))
    assert.deepEqual([error.state, error.interruptedBy, report?.outcome], ['RUNNING', 'SIGINT', 'source'])
  })

  it('SIGINT names a lent destination that is not put back, and what would', async () => {
    const lent = ['mock:name=a', 'mock:name=b,origin=lent', '--release']
    for (const [words, exception] of [
      [[], /before, but 'b', lent and left in RESUMING \(--on-stuck reset would reset it\)\. Once more/],
      [['--on-stuck', 'reset'], /put back, as it was before\. Once more/],
    ] as const) {
      await using standing = await Standing.begin([...lent, ...words], ['released', 'resumed'])
      await standing.at('quiesce')
      standing.child.kill('SIGINT')
      assert.equal(await standing.exit(), 4)
      assert.match(standing.stderr, exception)
    }
  })

  it('SIGINT twice: ends at once, and says where each device was and what to do', async () => {
    const report = join(directory, 'report')
    await using standing = await Standing.begin([...pair, '--json', '--report', report], [])
    await standing.at('quiesce')
    standing.child.kill('SIGINT')
    await standing.at('resumed')
    standing.child.kill('SIGINT')
    assert.equal(await standing.exit(), 4)
    const output = parse(failure, JSON.parse(standing.stdout))
    assert.deepEqual(parse(failure, JSON.parse(readFileSync(report, 'utf8'))), output)
    const { code, interruptedBy, device, others } = output.error
    assert.equal(interruptedBy, 'SIGINT')
    assert.deepEqual(
      [code, [device, ...(others ?? []).map(({ device }) => device)].sort()],
      ['ABORT_ERR', ['a', 'b']],
    )
    assert.match(standing.stderr, /; the participant: resumed is not answered: see to it/)
    assert.match(
      standing.stderr,
      /^vfio-migrate: interrupted again, ending at once: 'a', last known in RUNNING, is a mock and ends with this command; 'b', last known in [A-Z_0-9]+, is a mock/m,
    )
  })

  it('SIGINT when the destination runs: says that it is too late, and finishes', async () => {
    await using standing = await Standing.begin(pair, ['quiesce', 'stopped', 'restored'])
    await standing.at('running')
    standing.child.kill('SIGINT')
    await standing.said(/the state is the destination's already, so that this is finished first/)
    standing.child.kill('SIGINT')
    assert.equal(await standing.exit(), 4)
    assert.match(standing.stderr, /'b', last known in RUNNING, is a mock/)
    assert.match(
      standing.stderr,
      /the participant: quiesce told, stopped told, restored told, running is not answered/,
    )
  })

  it('SIGINT twice kills the command that is under way, with all that it has started', async () => {
    const [begun, survived] = [join(directory, 'begun'), join(directory, 'survived')]
    const line = `sleep 1000 & echo $! > ${begun}.new; mv ${begun}.new ${begun}; wait; touch ${survived}`
    const child = spawn(
      process.execPath,
      [main, 'move', ...pair, '--resumed', line, '--running', 'true', '--quiesce', 'false'],
      { stdio: 'ignore' },
    )
    const ended = once(child, 'exit')
    while (!existsSync(begun)) await new Promise(resolve => setImmediate(resolve))
    const pid = Number(readFileSync(begun, 'utf8'))
    child.kill('SIGTERM')
    child.kill('SIGINT')
    assert.deepEqual(await ended, [4, null])
    const isAlive = (): boolean => {
      const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ''
      return stat !== '' && !/\) [ZX] /.test(stat)
    }
    while (isAlive()) await new Promise(resolve => setImmediate(resolve))
    assert.ok(!existsSync(survived))
  })

  it('SIGINT when it is too late does not end --stay: the next one does', async () => {
    const words = ['mock:name=a', 'mock:name=b', '--stay']
    await using standing = await Standing.begin(words, ['quiesce', 'stopped', 'restored', 'released'])
    await standing.at('running')
    standing.child.kill('SIGINT')
    await standing.said(/so that this is finished first/)
    standing.answer('running')
    await standing.said(/'b' is held here/)
    assert.doesNotMatch(standing.stderr, /Closing it/)
    standing.child.kill('SIGUSR1')
    await standing.said(/^vfio-migrate: all is moved, and the destination is held here$/m)
    standing.child.kill('SIGINT')
    assert.equal(await standing.exit(), 0)
    assert.match(standing.stderr, /Closing it\./)
  })
})
