// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SideFacts } from '#lib/checks/preflight_facts.js'
import { phases } from '#lib/migration/phases.js'
import { dryRun, planMigration } from '#lib/migration/plan.js'
import type { MigrationPlan, PlannedStep } from '#lib/migration/planned.js'
import { openDevice, type StateName } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import { mebibyte, move, pairOf, type Case } from '../checks/preflight_move.js'

function plan(subject: Case = {}): MigrationPlan {
  const { pairs, machines, options } = move(subject)
  return planMigration(pairs, machines, options)
}

/** A step in a line: `source RUNNING>PRE_COPY | STOP>…`, one part for each device. */
function text(step: PlannedStep): string {
  switch (step.kind) {
    case 'arcs': {
      const paths = step.members.map(({ arcs }) => [arcs[0]?.from, ...arcs.map(({ to }) => to)].join('>'))
      return `${step.side} ${paths.join(' | ')}`
    }
    case 'barrier':
      return `${step.side} waits`
    case 'moment':
      return `${step.moment}()`
    case 'stream':
      return `${step.member} until ${step.until}`
    case 'log':
      return `log ${step.call}`
    case 'proof':
      return `${step.of}?`
    case 'word':
      return step.word
  }
}

function linesOf({ phases }: MigrationPlan): string[] {
  return phases.flatMap(({ steps }) => steps.map(text))
}

/** The lines of the source's side, without what is said and called. */
function savingOf(subject: Case): string[] {
  return linesOf(plan(subject)).filter(line => /^source|^\d/.test(line))
}

const caps = { stopCopy: true, p2p: true, preCopy: true, dmaLogging: false }
const mockFacts: Partial<SideFacts> = { mock: true, hardware: undefined }

describe('planMigration', () => {
  it('shows every arc, stream, moment and word of one device that runs, in their order', () => {
    assert.deepEqual(linesOf(plan()), [
      'destination RUNNING>RUNNING_P2P>STOP',
      'apart?',
      'destination STOP>RESUMING',
      'source RUNNING>PRE_COPY',
      '0 until idle',
      'quiesce()',
      'source PRE_COPY>PRE_COPY_P2P',
      'source PRE_COPY_P2P>STOP_COPY',
      'stopped()',
      'yielded',
      '0 until end',
      'whole?',
      'destination RESUMING>STOP',
      'restored()',
      'run-intent',
      'destination STOP>RUNNING_P2P',
      'destination RUNNING_P2P>RUNNING',
      'running()',
      'source STOP_COPY>STOP',
      'released()',
    ])
  })

  it('has all phases in their order', () => {
    assert.deepEqual(
      plan().phases.map(({ phase }) => phase),
      phases,
    )
  })

  for (const [what, state, capabilities, lines] of [
    ['saves one that has stopped from there', 'STOP', caps, ['source STOP>STOP_COPY', '0 until end']],
    [
      'does not let one loose that is in RUNNING_P2P',
      'RUNNING_P2P',
      caps,
      ['source RUNNING_P2P>PRE_COPY_P2P', '0 until idle', 'source PRE_COPY_P2P>STOP_COPY', '0 until end'],
    ],
    [
      'stops one without pre-copy through RUNNING_P2P',
      'RUNNING',
      { ...caps, preCopy: false },
      ['source RUNNING>RUNNING_P2P', 'source RUNNING_P2P>STOP>STOP_COPY', '0 until end'],
    ],
    [
      'stops one without P2P directly',
      'RUNNING',
      { ...caps, p2p: false },
      ['source RUNNING>PRE_COPY', '0 until idle', 'source PRE_COPY>STOP_COPY', '0 until end'],
    ],
    [
      'stops one without either',
      'RUNNING',
      { ...caps, p2p: false, preCopy: false },
      ['source RUNNING>STOP>STOP_COPY', '0 until end'],
    ],
  ] as const) {
    it(what, () => {
      assert.deepEqual(savingOf({ from: { state, capabilities } }), [...lines, 'source STOP_COPY>STOP'])
    })
  }

  it('leads a destination that has stopped to RESUMING at once, and lets it run as any other', () => {
    const lines = linesOf(plan({ to: { state: 'STOP' } })).filter(line => line.startsWith('destination'))
    assert.deepEqual(lines, [
      'destination STOP>RESUMING',
      'destination RESUMING>STOP',
      'destination STOP>RUNNING_P2P',
      'destination RUNNING_P2P>RUNNING',
    ])
  })

  it('lets no device of a set go beyond its P2P state before all are in theirs, when they stop and when they run', () => {
    const others = [pairOf(1, { state: 'STOP' }), pairOf(2, { capabilities: { ...caps, preCopy: false } })]
    const lines = linesOf(plan({ others, options: { perPfLimit: 8 } }))
    const [stop, run] = [lines.indexOf('source waits'), lines.indexOf('destination waits')]
    assert.deepEqual(lines.slice(stop - 1, stop + 2), [
      'source PRE_COPY>PRE_COPY_P2P | RUNNING>RUNNING_P2P',
      'source waits',
      'source PRE_COPY_P2P>STOP_COPY | STOP>STOP_COPY | RUNNING_P2P>STOP>STOP_COPY',
    ])
    assert.deepEqual(lines.slice(run - 1, run + 2), [
      `destination ${Array(3).fill('STOP>RUNNING_P2P').join(' | ')}`,
      'destination waits',
      `destination ${Array(3).fill('RUNNING_P2P>RUNNING').join(' | ')}`,
    ])
  })

  it('waits for nobody where the devices of a set do no DMA to each other', () => {
    const lines = linesOf(plan({ others: [pairOf(1)], options: { noP2pDma: true } }))
    assert.deepEqual(
      lines.filter(line => line.endsWith('waits')),
      [],
    )
  })

  it('stops the source at once where pre-copy is not wanted', () => {
    const { pairs, machines } = move()
    const planned = planMigration(pairs, machines, { precopy: false })
    assert.deepEqual(
      linesOf(planned).filter(line => /^source|^\d/.test(line)),
      [
        'source RUNNING>RUNNING_P2P',
        'source RUNNING_P2P>STOP>STOP_COPY',
        '0 until end',
        'source STOP_COPY>STOP',
      ],
    )
    assert.equal(planned.pairs[0]?.precopy, 'none')
  })

  it('reads in pre-copy only those that have it, and all of them to the end', () => {
    const others = [pairOf(1, { capabilities: { ...caps, preCopy: false } }), pairOf(2)]
    const lines = linesOf(plan({ others, options: { perPfLimit: 8 } })).filter(line => /^\d/.test(line))
    assert.deepEqual(lines, ['0 until idle', '2 until idle', '0 until end', '1 until end', '2 until end'])
  })

  it('does nothing where it is refused, and says why', () => {
    const { possible, phases, findings, pairs } = plan({ to: { state: 'RESUMING' } })
    assert.deepEqual([possible, phases], [false, []])
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['destination-state'],
    )
    assert.equal(pairs[0]?.destination.state, 'RESUMING')
  })

  it('foresees the bytes of all states and the kernel memory of each side', () => {
    const others = [pairOf(1, { driver: 'mtty', stateBytes: 60 })]
    const { predicted, pairs } = plan({ from: { stateBytes: 10 * mebibyte }, others })
    assert.equal(predicted.stateBytes, 10 * mebibyte + 60)
    assert.deepEqual(predicted.kernelMemoryBytes, { source: 22 * mebibyte, destination: 11 * mebibyte })
    assert.deepEqual(
      pairs.map(({ precopy }) => precopy),
      ['incremental', 'setup'],
    )
    assert.equal(plan({ from: { stateBytes: undefined } }).predicted.stateBytes, undefined)
    assert.deepEqual(plan({ from: mockFacts, to: mockFacts }).predicted.kernelMemoryBytes, {
      source: 0,
      destination: 0,
    })
  })

  it('is plain JSON', () => {
    const planned = plan({ others: [pairOf(1)] })
    assert.deepEqual(JSON.parse(JSON.stringify(planned)), planned)
  })
})

describe('dryRun', () => {
  const clock = new VirtualClock()
  const flavours = ['mlx5', 'hisi_acc', 'xe'] as const

  async function mock(options: MockOptions) {
    return await openDevice(new MockDevice({ clock, ...options }).open())
  }

  for (const flavour of flavours) {
    it(`plans for a mock of ${flavour} the arcs that setState makes of it`, async () => {
      await using from = await mock({ flavour })
      await using to = await mock({ flavour })
      const { phases } = await dryRun([from], [to])
      assert.deepEqual([await from.state(), await to.state()], ['RUNNING', 'RUNNING'])
      for (const step of phases.flatMap(({ steps }) => steps)) {
        if (step.kind === 'arcs') await followed(step)
      }
      assert.deepEqual([await from.state(), await to.state()], ['STOP', 'RUNNING'])

      /** Drives the device along the step; what is not loaded leaves RESUMING by a reset and STOP. */
      async function followed({ side, members: [member] }: PlannedStep & { kind: 'arcs' }): Promise<void> {
        assert.ok(member !== undefined)
        const device = side === 'source' ? from : to
        const target = member.arcs.at(-1)?.to as StateName
        if (member.arcs[0]?.from === 'RESUMING') {
          await device.reset()
          await device.setState('STOP')
          return
        }
        const made = await device.setState(target)
        assert.deepEqual(
          made.map(({ from, to }) => ({ from, to })),
          member.arcs,
        )
      }
    })
  }

  it('takes a destination for each source', async () => {
    await using from = await mock({})
    await assert.rejects(dryRun([from], []), TypeError)
    await assert.rejects(dryRun([], []), TypeError)
  })

  it('has the calls of a DMA log, and refuses one that the source has not, as migrate() would', async () => {
    await using from = await mock({ capabilities: { dmaLogging: false } })
    await using to = await mock({})
    const dmaLogging = { pageSize: 4096, ranges: [{ iova: 0n, length: 4096n }] }
    const { possible, findings } = await dryRun([from], [to], { dmaLogging })
    assert.deepEqual([possible, findings.map(({ id }) => id)], [false, ['no-dma-logging']])
    const { possible: isPossible, phases } = await dryRun([to], [from], { dmaLogging })
    assert.ok(isPossible)
    const calls = phases.flatMap(({ phase, steps }) =>
      steps.flatMap(step => (step.kind === 'log' ? [`${phase}: ${step.call}`] : [])),
    )
    assert.deepEqual(calls, ['precopy: start', 'precopy: report', 'stop-copy: last report', 'release: stop'])
    const odd = { ...dmaLogging, pageSize: 4095 }
    await assert.rejects(dryRun([to], [from], { dmaLogging: odd }), { name: 'RangeError' })
  })

  it('touches no device, and says of a pair that cannot be one what is the matter', async () => {
    await using from = await mock({ flavour: 'mtty' })
    await using to = await mock({ flavour: 'mlx5' })
    const { possible, predicted, findings } = await dryRun([from], [to])
    assert.deepEqual([possible, predicted.stateBytes], [false, 60])
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['driver-differs'],
    )
    assert.deepEqual([await from.state(), await to.state()], ['RUNNING', 'RUNNING'])
  })
})
