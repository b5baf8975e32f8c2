// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { moments, phases, type Edge } from 'vfio-migrate'
import { MockDevice, serveMock } from 'vfio-migrate/mock'
import { failure, type FailureOutput } from '#lib/cli/schemas/failure.js'
import { moment, move, phase, type MoveOutput } from '#lib/cli/schemas/move.js'
import { plan, type PlanOutput } from '#lib/cli/schemas/plan.js'
import { Peer } from '../unit/participant/peer.js'
import { inProcess, jsonOf } from './command.js'

const pair = ['mock:name=a', 'mock:name=b']
const set = [...pair, 'mock:name=c', 'mock:name=d']

/** Runs a move with --json that is to fail with this exit code. */
async function failed(exit: number, ...words: readonly string[]): Promise<FailureOutput> {
  const ending = await inProcess(['move', ...words, '--release', '--json'])
  assert.equal(ending.exit, exit, ending.stderr)
  return v.parse(failure, JSON.parse(ending.stdout))
}

describe('vfio-migrate move', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-move-'))
  const at = (name: string): string => join(directory, name)
  after(() => rmSync(directory, { recursive: true }))

  it('has all phases and moments in its schema', () => {
    for (const [schema, names] of [
      [phase, phases],
      [moment, moments],
    ] as const) {
      assert.deepEqual((schema as unknown as { options: unknown }).options, names)
    }
  })

  it('foresees what it is told that the participant takes', async () => {
    const words = ['move', ...pair, '--release', '--running', 'true', '--participant-time', '20']
    const { predicted } = await jsonOf(words, move)
    assert.equal(predicted?.parts.participantMs, 20)
  })

  describe('of a set', () => {
    it('moves all, and tells of each in the order of the command line', async () => {
      const moved = await jsonOf(['move', ...set, '--release'], move)
      const sides = moved.devices.map(({ source, destination }) => [source, destination]).flat()
      assert.deepEqual(
        sides.map(({ device, state }) => [device.name, state]),
        [
          ['a', 'STOP'],
          ['b', 'RUNNING'],
          ['c', 'STOP'],
          ['d', 'RUNNING'],
        ],
      )
      assert.equal(
        moved.bytes,
        moved.devices.reduce((sum, { bytes }) => sum + bytes, 0),
      )
      assert.deepEqual([moved.outcome, moved.mock, moved.keeping], ['destination', true, 'release'])
      assert.deepEqual(
        moved.phases.map(({ phase }) => phase),
        phases,
      )
      assert.equal(moved.rounds.length > 0, true)
    })

    it('puts all back when one fails, and tells first of the one that is not as it was', async () => {
      const words = [...pair, 'mock:name=c', 'mock:name=d,origin=lent,fault=LOAD:EIO']
      const { error, report } = await failed(4, ...words)
      assert.deepEqual([error.code, error.cause?.code, error.device], ['ERR_VFIO_MIGRATION', 'EIO', 'd'])
      assert.deepEqual(
        error.others?.map(({ device, state }) => [device, state]),
        [
          ['a', 'RUNNING'],
          ['c', 'RUNNING'],
          ['b', 'RUNNING'],
        ],
      )
      assert.equal(report?.outcome, 'source')
    })

    it('says in words of each which way it went', async () => {
      const { exit, stderr, stdout } = await inProcess(['move', ...set, '--release'])
      assert.deepEqual([exit, stdout], [0, ''])
      for (const name of ['a', 'c']) assert.match(stderr, new RegExp(`^source +${name}, .*, in STOP$`, 'm'))
      for (const name of ['b', 'd'])
        assert.match(stderr, new RegExp(`^destination +${name}, .*, in RUNNING$`, 'm'))
      assert.match(stderr, /^phases +preflight +\d/m)
      assert.match(stderr, /^ +arcs that stop +\d+\.\d{3} ms +\d+\.\d{3} ms$/m)
      assert.match(stderr, /^rounds +ended +bytes +downtime foreseen +at worst +decided$/m)
    })
  })

  describe('--dry-run', () => {
    /** The arcs of a plan, device by device. */
    function planned({ plan: { phases } }: PlanOutput): Record<string, Edge[]> {
      const arcs: Record<string, Edge[]> = {}
      for (const step of phases.flatMap(({ steps }) => steps)) {
        if (step.kind !== 'arcs') continue
        for (const { device, arcs: more } of step.members) (arcs[device] ??= []).push(...more)
      }
      return arcs
    }

    function made({ devices }: MoveOutput): Record<string, Edge[]> {
      const sides = devices.map(({ source, destination }) => [source, destination]).flat()
      return Object.fromEntries(
        sides.map(({ device, arcs }) => [device.name, arcs.map(({ from, to }) => ({ from, to }))]),
      )
    }

    for (const words of [
      pair,
      [...pair, '--no-precopy'],
      set,
      [...set, '--no-p2p-dma'],
      ['mock:name=a,flavour=mtty', 'mock:name=b,flavour=mtty'],
      ['mock:name=a,flavour=virtio', 'mock:name=b,flavour=virtio'],
    ]) {
      it(`has the arcs that are made without it: ${words.join(' ')}`, async () => {
        const told = await jsonOf(['move', ...words, '--dry-run'], plan)
        assert.equal(told.plan.possible, true)
        assert.deepEqual(planned(told), made(await jsonOf(['move', ...words, '--release'], move)))
      })
    }

    it('drives nothing', async () => {
      const mock = new MockDevice({ name: 'there' })
      await using server = await serveMock(mock, at('socket'), { dies: 'with-host' })
      await jsonOf(['move', `mock+unix:${server.path}`, 'mock:', '--dry-run'], plan)
      assert.equal(mock.state, 'RUNNING')
      assert.ok(!mock.history.some(event => JSON.stringify(event).includes('RESUMING')))
    })

    it('prints the steps on stdout, phase by phase', async () => {
      const { exit, stdout } = await inProcess(['move', ...set, '--dry-run'])
      assert.equal(exit, 0)
      assert.match(stdout, /^possible +yes$/m)
      assert.match(stdout, /^pair +a \(a mock of mlx5_vfio_pci, in RUNNING\) → b \(/m)
      assert.match(stdout, /^prepare +destination b: RUNNING → RUNNING_P2P → STOP$/m)
      assert.match(
        stdout,
        /^stop-copy +source a: PRE_COPY → PRE_COPY_P2P\n +source c: .*\n +each source waits/m,
      )
      assert.match(
        stdout,
        /^commit +the participant of the destination: restored\n +the destination's word: run-intent$/m,
      )
    })

    it('tells why it would be refused, and exits with what the refusal does', async () => {
      const words = ['move', 'mock:', 'mock:flavour=xe', '--dry-run']
      const { exit, stdout } = await inProcess([...words, '--json'])
      const { plan: refused } = v.parse(plan, JSON.parse(stdout))
      assert.deepEqual([exit, refused.possible, refused.phases], [2, false, []])
      assert.deepEqual(
        refused.findings.map(({ id }) => id),
        ['driver-differs'],
      )
      assert.match((await inProcess(words)).stdout, /^refused +driver-differs: /m)
    })

    it('checks what is said of keeping, and needs nothing of it', async () => {
      const { exit, stderr } = await inProcess(['move', ...set, '--dry-run', '--exec', 'sh'])
      assert.equal(exit, 2)
      assert.match(stderr, /--exec hands on one device/)
    })
  })

  describe('refused', () => {
    it('tells everything that was found, has touched nothing, and begun no report', async () => {
      const { error, report } = await failed(2, 'mock:', 'mock:flavour=xe')
      assert.deepEqual([error.code, error.arcs, report], ['ERR_VFIO_REFUSED', [], undefined])
      assert.deepEqual(
        error.findings?.map(({ id, level }) => [id, level]),
        [['driver-differs', 'refuse']],
      )
    })

    it('names the rule, and the options of the command line', async () => {
      const noP2p = ['mock:capabilities.p2p=false', 'mock:capabilities.p2p=false']
      const { error } = await failed(2, ...noP2p, ...noP2p)
      assert.match(error.message, /Refused \([a-z0-9-]+\): .* say --no-p2p-dma where/)
      assert.doesNotMatch(error.message, /noP2pDma/)
    })

    it('exits with 3 where a device does not migrate', async () => {
      const { error } = await failed(3, 'mock:', 'mock:capabilities.stopCopy=false')
      assert.deepEqual([error.code, error.findings?.[0]?.id], ['ERR_VFIO_REFUSED', 'not-migratable'])
    })
  })

  describe('--report', () => {
    it('has what --json prints, of a success', async () => {
      const { stdout } = await inProcess(['move', ...pair, '--release', '--json', '--report', at('done')])
      assert.deepEqual(JSON.parse(readFileSync(at('done'), 'utf8')), JSON.parse(stdout))
    })

    it('and of a failure, without --json as well', async () => {
      const words = [
        'move',
        'mock:name=a',
        'mock:name=b,fault=LOAD:EIO',
        '--release',
        '--report',
        at('failed'),
      ]
      assert.equal((await inProcess(words)).exit, 1)
      const { error, report } = v.parse(failure, JSON.parse(readFileSync(at('failed'), 'utf8')))
      assert.deepEqual([error.code, report?.outcome], ['ERR_VFIO_MIGRATION', 'source'])
      assert.deepEqual(report?.devices[0]?.destination.wasReset, true)
    })

    it('and of a refusal', async () => {
      await failed(2, 'mock:', 'mock:flavour=xe', '--report', at('refused'))
      assert.equal(v.parse(failure, JSON.parse(readFileSync(at('refused'), 'utf8'))).report, undefined)
    })

    it('and of names that are no device', async () => {
      await failed(3, 'mock:', 'ffff:ff:1f.7', '--report', at('refused'))
      const { error } = v.parse(failure, JSON.parse(readFileSync(at('refused'), 'utf8')))
      assert.equal(error.code, 'ERR_VFIO_NO_DEVICE')
    })

    it('may be read by whom the file before it could be read by', async () => {
      for (const mode of [0o600, 0o666]) {
        chmodSync(at('done'), mode)
        assert.equal((await inProcess(['move', ...pair, '--release', '--report', at('done')])).exit, 0)
        assert.equal(statSync(at('done')).mode & 0o777, mode)
      }
    })

    it('leaves nothing beside it', () => {
      assert.deepEqual(readdirSync(directory).sort(), ['done', 'failed', 'refused'])
    })

    it('says that it is not there when its directory goes meanwhile, and undoes nothing: exit status 1', async () => {
      mkdirSync(at('gone'))
      const words = ['--report', at('gone/report'), '--quiesce', `rm -r ${at('gone')}`]
      const { exit, stderr } = await inProcess(['move', ...pair, '--release', ...words])
      assert.equal(exit, 1)
      assert.match(stderr, /^The report is not there: '.*\/gone\/report' cannot be written: no such file/m)
      assert.match(stderr, /^destination +b, .*, in RUNNING$/m)
    })
  })

  describe('with a participant', () => {
    it('runs commands at their moments, and tells how long they took', async () => {
      const say = 'echo "$VFIO_MIGRATE_MOMENT $VFIO_MIGRATE_DEVICES"'
      const words = ['move', ...set, '--release', '--quiesce', say, '--running', say, '--resumed', say]
      const { exit, stdout, stderr } = await inProcess([...words, '--json'])
      assert.equal(exit, 0, stderr)
      const { participant, participantDowntimeMs } = v.parse(move, JSON.parse(stdout))
      assert.deepEqual(
        participant.map(({ moment }) => moment),
        ['quiesce', 'running'],
      )
      assert.ok(participantDowntimeMs !== undefined && participantDowntimeMs > 0)
      assert.match(stderr, /^quiesce a c$/m)
      assert.match(stderr, /^running b d$/m)
      assert.doesNotMatch(stderr, /^resumed/m)
    })

    it('speaks with a process at each moment, and carries what it sends', async () => {
      await using peer = await Peer.listen((message, say) => {
        if ('hello' in message) say({ hello: 'peer', version: 1 })
        else if (message.moment === 'stopped') say({ id: message.id, ok: true, sideData: ['AAEC'] })
        else say({ id: message.id, ok: true })
      })
      const words = ['move', ...pair, '--release', '--participant', `unix:${peer.path}`]
      const { participant, devices } = await jsonOf(words, move)
      const called = ['quiesce', 'stopped', 'restored', 'running', 'released']
      assert.deepEqual(
        participant.map(({ moment }) => moment),
        called,
      )
      assert.deepEqual(peer.heard.map(({ moment }) => moment).filter(Boolean), called)
      assert.equal(devices[0]?.sideDataBytes, 3)
    })

    it('puts everything back when a command fails before the destination runs', async () => {
      const { error, report } = await failed(1, ...pair, '--quiesce', 'exit 3', '--resumed', 'exit 0')
      assert.equal(error.cause?.code, 'ERR_VFIO_PARTICIPANT')
      assert.deepEqual(
        report?.participant.map(({ moment, error }) => [moment, error?.code]),
        [
          ['quiesce', 'ERR_VFIO_PARTICIPANT'],
          ['resumed', undefined],
        ],
      )
    })

    it('exits with 4 when whoever drives the devices was not told to go on', async () => {
      const { error, report } = await failed(4, ...pair, '--quiesce', 'exit 3', '--resumed', 'exit 4')
      assert.deepEqual([error.state, report?.outcome], ['RUNNING', 'source'])
      const words = ['move', ...pair, '--release', '--running', 'exit 5', '--json']
      const { exit, stdout, stderr } = await inProcess(words)
      assert.equal(exit, 4)
      assert.match(
        v.parse(move, JSON.parse(stdout)).left?.join() ?? '',
        /^The participant failed at 'running'/,
      )
      assert.match(
        stderr,
        /^The participant failed at 'running': 'exit 5' ended with status 5\. The destination runs, and the participant was told, and has not/m,
      )
    })

    it('tells once of a process that is gone, and says who runs', async () => {
      await using peer = await Peer.listen((message, say) => {
        if ('hello' in message) say({ hello: 'peer', version: 1 })
        else if (message.moment === 'stopped') say({ id: 999, ok: true })
        else say({ id: message.id, ok: true })
      })
      const words = ['move', ...pair, '--release', '--participant', `unix:${peer.path}`]
      const { exit, stderr } = await inProcess(words)
      assert.equal(exit, 4, stderr)
      assert.equal(stderr.match(/is of no use/g)?.length, 1, stderr)
      assert.match(stderr, /^The source runs, and the participant was not told: see to it\.$/m)
    })

    it('touches no device where nobody listens', async () => {
      const { error } = await failed(1, ...pair, '--participant', `unix:${at('nobody')}`)
      assert.deepEqual([error.code, error.arcs], ['ERR_VFIO_PARTICIPANT', []])
      assert.match(error.message, /ENOENT.*\. Start the participant first$/)
    })
  })

  it('takes its limits to the engine', async () => {
    const dirty = 'mock:size=4MiB,dirty=64MiB/s'
    const one = await jsonOf(['move', dirty, 'mock:size=4MiB', '--release', '--max-rounds', '1'], move)
    assert.deepEqual([one.rounds.length, one.rounds[0]?.decision], [1, 'switch'])
    assert.match(one.rounds[0]?.why ?? '', /all 1 rounds/)
    const none = await jsonOf(['move', dirty, 'mock:size=4MiB', '--release', '--no-precopy'], move)
    assert.deepEqual([none.rounds, none.precopyBytes], [[], 0])
    const deadline = ['--deadline', '1ms', '--on-deadline', 'abort']
    const { error } = await failed(1, dirty, 'mock:size=4MiB', ...deadline)
    assert.equal(error.cause?.code, 'ERR_VFIO_POLICY')
    const slow = ['move', 'mock:size=1MiB', 'mock:size=1MiB', '--release', '--bandwidth', '8MiB/s']
    assert.ok((await jsonOf(slow, move)).totalMs >= 125)
  })

  it('exits with 4 and says whose the state is when the destination has it and does not run', async () => {
    const words = ['move', 'mock:name=a,origin=lent', 'mock:name=b,origin=lent,fault=RESUME_INITIATOR:EIO']
    const { exit, stdout, stderr } = await inProcess([...words, '--release', '--json'])
    const { error, report } = v.parse(failure, JSON.parse(stdout))
    assert.deepEqual([exit, report?.outcome, error.cause?.code], [4, 'destination', 'EIO'])
    const sides = report?.devices.flatMap(({ source, destination }) => [source.state, destination.state])
    assert.deepEqual(sides, ['STOP', 'RUNNING_P2P'])
    assert.match(stderr, /^The destination has taken the state over: the source may run again only when/m)
  })

  it('says how long the source stood where it runs again, and nothing of it where it never stood', async () => {
    const failing = ['mock:name=a', 'mock:name=b,fault=LOAD:EIO']
    const { report } = await failed(1, ...failing, '--no-precopy')
    assert.ok(report?.pausedMs !== undefined && report.pausedMs > 0)
    assert.deepEqual([report.downtimeMs, report.downtime], [0, undefined])
    assert.ok(!('pausedMs' in ((await failed(1, ...failing)).report ?? {})))
    for (const [words, said] of [
      [[...failing, '--no-precopy'], /^The source stood for \d+\.\d{3} ms\.$/m],
      [
        ['mock:name=c', 'mock:name=d', ...failing, '--no-precopy'],
        /^The sources stood for \d+\.\d{3} ms\.$/m,
      ],
      [failing, /^(?![^]*stood for)/],
    ] as const) {
      const { exit, stderr } = await inProcess(['move', ...words, '--release'])
      assert.equal(exit, 1)
      assert.match(stderr, said)
    }
  })

  it('tells in words what hindered a reset, and promises no other', async () => {
    const words = ['move', 'mock:name=a', 'mock:name=b,fault=LOAD:EIO,fault=RESET:EINVAL', '--release']
    const { exit, stderr } = await inProcess(words)
    assert.equal(exit, 4, stderr)
    assert.match(stderr, /^'b' is in RESUMING, and was in RUNNING before\. Its reset has failed\.$/m)
    assert.match(stderr, /^'b': EINVAL: .*no working reset/m)
    assert.doesNotMatch(stderr, /It is reset as/)
  })

  it('says of a set of which one does not run that the other runs with a moved state', async () => {
    const lent = ['mock:name=a', 'mock:name=b,fault=RESUME_INITIATOR:EIO', 'mock:name=c', 'mock:name=d']
    const { exit, stderr } = await inProcess(['move', ...lent, '--release'])
    assert.equal(exit, 4, stderr)
    assert.doesNotMatch(stderr, /as before/)
    assert.match(stderr, /^'d' (runs|is in [A-Z0-9_]+,) with the state of 'c'/m)
  })

  it('leaves a lent device that is stuck unless it is told to reset it', async () => {
    const words = ['mock:name=a', 'mock:name=b,origin=lent,fault=LOAD:EIO']
    const left = (await failed(4, ...words)).report?.devices[0]?.destination
    assert.deepEqual([left?.state, left?.recovery, left?.wasReset], ['RESUMING', 'reset', undefined])
    const reset = (await failed(4, ...words, '--on-stuck', 'reset')).report?.devices[0]?.destination
    assert.deepEqual([reset?.state, reset?.recovery, reset?.wasReset], ['RUNNING', 'none', true])
  })
})
