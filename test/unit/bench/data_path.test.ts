// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

/* How the data path is judged, by examples that were worked out by hand. */

interface Result {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly bytes: number
}

interface Rounds {
  readonly ours: Result[]
  readonly yardstick: Result[]
  readonly again: Result[]
  readonly disturbance?: { readonly madeAgain: number; readonly kept: number }
}

interface Subject {
  readonly name: string
  readonly against: string
  readonly unit: string
  readonly required: number
  readonly atLeast: boolean
}

interface Row {
  readonly ratio: number
  readonly nullRatio: number
  readonly met: boolean | null
  readonly noisy: boolean
  readonly ours: number[]
}

const pathOf = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url))

async function load(name: string): Promise<Record<string, unknown>> {
  return (await import(pathOf(`bench/${name}.mjs`))) as Record<string, unknown>
}

const { median } = (await load('median')) as { median: (values: number[]) => number }
const { alternate } = (await load('alternate')) as {
  alternate: <T>(
    rounds: number,
    ways: Record<string, () => Promise<T>>,
    warmUps: number,
    disturbance?: Disturbance,
  ) => Promise<Record<string, T[]>>
}
interface Disturbance {
  readonly madeAgain: number
  readonly kept: number
  begin(): void
  end(): boolean
}
const { Disturbance, stolenSeconds } = (await load('disturbance')) as {
  Disturbance: new (most: number, sample: () => { at: number; stolen: number }) => Disturbance
  stolenSeconds: (stat: string) => number
}
const { withSection } = (await load('document')) as {
  withSection: (text: string, heading: string, body: string) => string
}
const { judge, settle, limit } = (await load('data-path/judge')) as {
  judge: (subject: Subject, rounds: Rounds) => Row
  settle: (subject: Subject, run: () => Promise<Rounds>) => Promise<Row>
  limit: (subject: Subject, ratio: number) => Row
}
const { withDataPath } = (await load('data-path/section')) as {
  withDataPath: (text: string, results: unknown) => string
}

const gibibyte = 2 ** 30

const speed: Subject = { name: 'it', against: 'C', unit: 'GiB/s', required: 0.85, atLeast: true }
const cpu: Subject = { ...speed, unit: 'CPU ms a GiB', required: 1.5, atLeast: false }

/** A GiB in so many seconds, with half as much CPU. */
const taking = (...seconds: number[]): Result[] =>
  seconds.map(s => ({ seconds: s, cpuSeconds: s / 2, bytes: gibibyte }))

const rounds = (ours: number[], yardstick: number[], again = yardstick): Rounds => ({
  ours: taking(...ours),
  yardstick: taking(...yardstick),
  again: taking(...again),
})

describe('the median', () => {
  it('is the middle one, or between the two', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([10, 1, 2, 4]), 3)
  })
})

describe('a row of the data path', () => {
  it('is the median of the ratios of the rounds, and not the ratio of the medians', () => {
    // 1 / 2, 4 / 1 and 8 / 4; the medians are 4 and 2 s.
    const { ratio } = judge(speed, rounds([2, 1, 4], [1, 4, 8]))
    assert.equal(ratio, 2)
    // 2, 1 / 2 and 1 / 4 times the CPU seconds.
    assert.equal(judge(cpu, rounds([2, 2, 2], [1, 4, 8])).ratio, 0.5)
  })

  it('tells how fast ours went, and what it cost', () => {
    assert.deepEqual(judge(speed, rounds([0.5, 0.25, 1], [1, 1, 1])).ours, [2, 4, 1])
    assert.deepEqual(judge(cpu, rounds([0.5, 0.25, 1], [1, 1, 1])).ours, [250, 125, 500])
  })

  it('is met where ours is fast enough, or cheap enough', () => {
    assert.equal(judge(speed, rounds([2], [1.7])).met, true)
    assert.equal(judge(speed, rounds([2], [1.6])).met, false)
    assert.equal(judge(cpu, rounds([1.5], [1])).met, true)
    assert.equal(judge(cpu, rounds([1.6], [1])).met, false)
  })

  it('is noisy, and never met, where the yardstick is not like itself', () => {
    for (const again of [0.9, 1.1]) {
      for (const subject of [speed, cpu]) {
        const { met, noisy } = judge(subject, rounds([0.1], [1], [again]))
        assert.deepEqual([met, noisy], [null, true])
      }
    }
    for (const again of [0.985, 1.015]) assert.equal(judge(speed, rounds([0.1], [1], [again])).met, true)
  })

  it('is noisy where nothing was measured', () => {
    assert.deepEqual(judge(speed, rounds([], [])).met, null)
  })

  it('is a limit where there is nothing to compare', () => {
    const { met, noisy } = limit({ ...cpu, required: 32 }, 33)
    assert.deepEqual([met, noisy], [false, false])
    assert.equal(limit({ ...cpu, required: 32 }, 32).met, true)
  })
})

describe('a noisy run', () => {
  const noise = rounds([1], [1], [2])
  const silence = rounds([1], [1])

  async function settled(...runs: Rounds[]): Promise<{ row: Row; made: number }> {
    let made = 0
    const row = await settle(speed, () => Promise.resolve(runs[made++] ?? assert.fail('one run too many')))
    return { row, made }
  }

  it('is not repeated when it is none', async () => {
    const { row, made } = await settled(silence)
    assert.deepEqual([row.met, made], [true, 1])
  })

  it('is repeated until the machine is quiet', async () => {
    const { row, made } = await settled(noise, noise, silence)
    assert.deepEqual([row.met, row.noisy, made], [true, false, 3])
  })

  it('is repeated twice at the most, and then said to be noisy', async () => {
    const { row, made } = await settled(noise, noise, noise)
    assert.deepEqual([row.met, row.noisy, made], [null, true, 3])
  })
})

describe('alternating', () => {
  it('gives each way its turn in every round, the first one another each time, and forgets the warm-up', async () => {
    const order: string[] = []
    const way = (name: string) => () => Promise.resolve(order.push(name))
    const results = await alternate(3, { a: way('a'), b: way('b'), c: way('c') }, 1)
    assert.equal(order.join(''), 'abc' + 'abc' + 'bca' + 'cab')
    assert.deepEqual(results, { a: [4, 9, 11], b: [5, 7, 12], c: [6, 8, 10] })
  })

  it('makes a round again that was disturbed, in the same order, and keeps nothing of it', async () => {
    const order: string[] = []
    const way = (name: string) => () => Promise.resolve(order.push(name))
    const met = [false, true, false, true, true, false]
    const disturbance = {
      madeAgain: 0,
      kept: 0,
      begin: () => void order.push('-'),
      end: () => met.shift() === true,
    }
    const results = await alternate(2, { a: way('a'), b: way('b') }, 1, disturbance)
    assert.equal(order.join(''), '-ab-ab-ab-ba-ba-ba')
    assert.deepEqual(results, { a: [8, 18], b: [9, 17] })
  })
})

describe('a disturbance', () => {
  it('is what the hypervisor gave to others, more than a hundredth of the time of a CPU', () => {
    const samples = [
      { at: 0, stolen: 5 },
      { at: 10, stolen: 5.1 },
      { at: 10, stolen: 5.1 },
      { at: 20, stolen: 5.21 },
    ]
    const disturbance = new Disturbance(9, () => samples.shift() ?? { at: 0, stolen: 0 })
    disturbance.begin()
    const first = disturbance.end()
    disturbance.begin()
    assert.deepEqual([first, disturbance.end(), disturbance.madeAgain], [false, true, 1])
  })

  it('has no more rounds made again than it was said, and counts those that are kept', () => {
    let stolen = 0
    const disturbance = new Disturbance(2, () => ({ at: 0, stolen: stolen++ }))
    const again = [1, 2, 3].map(() => {
      disturbance.begin()
      return disturbance.end()
    })
    assert.deepEqual([again, disturbance.madeAgain, disturbance.kept], [[true, true, false], 2, 1])
  })

  it('is in the eighth field of the first line of /proc/stat', () => {
    const stat = 'cpu  10 20 30 40 50 60 70 1234 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\n'
    assert.equal(stolenSeconds(stat), 12.34)
  })
})

describe('docs/performance.md', () => {
  const document = readFileSync(pathOf('docs/performance.md'), 'utf8')
  const results = pathOf('bench/results/data-path.json')

  it('keeps the other sections when one is written anew', () => {
    const text = '# Performance\n\n## One\n\n1\n\n## Two\n\n2\n'
    assert.equal(withSection(text, '## One', '3\n'), '# Performance\n\n## One\n\n3\n\n## Two\n\n2\n')
    assert.equal(withSection(text, '## Two', '3\n'), '# Performance\n\n## One\n\n1\n\n## Two\n\n3\n')
    assert.equal(withSection(text, '## Three', '3\n'), `${text}\n## Three\n\n3\n`)
  })

  it('says of the data path what was measured, and nothing where nothing was', async () => {
    if (!existsSync(results)) {
      assert.doesNotMatch(document, /^## Data path$/m)
      return
    }
    const path = pathOf('docs/performance.md')
    const anew = withDataPath(document, JSON.parse(readFileSync(results, 'utf8')))
    assert.equal(await format(anew, { ...(await resolveConfig(path)), filepath: path }), document)
  })

  it('has of each row whether it is met, and never that a noisy one is', async () => {
    const disturbance = { madeAgain: 7, kept: 2 }
    const row = { ...judge(speed, { ...rounds([1], [1]), disturbance }), ...speed }
    const noisy = { ...judge(speed, rounds([1], [1], [2])), ...speed, name: 'noisy' }
    const machine = { cpu: 'a CPU', cores: 2, memoryGiB: 4, isVirtual: true, linux: '6', node: 'v20' }
    const rest = { compiler: 'cc', load: 0, guestCores: 2, accelerator: 'TCG', qemu: '7' }
    const text = withDataPath('# Performance\n', {
      rounds: 11,
      guestRounds: 4,
      sizeMiB: 1024,
      machine: { ...machine, ...rest },
      rows: [row, noisy],
    })
    assert.match(
      text,
      /of 11 rounds, in the virtual machine of 4, .*: 7 were made again, and 2 that were disturbed/,
    )
    const lines = (await format(text, { parser: 'markdown' })).split('\n')
    assert.match(lines.find(line => line.startsWith('| it ')) ?? '', /\| 1\.000 .*\| at least 0\.85 \| yes /)
    assert.match(lines.find(line => line.startsWith('| noisy ')) ?? '', /\| too noisy /)
  })
})
