// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ChunkLoop, type ChunkSteps } from '#lib/device/chunk_loop.js'

/** What is there, one after the other; after the last one the loop ends. */
type Source = 'chunk' | 'nothing' | 'more, but not to be taken' | 'take fails' | 'look fails'
interface Step {
  readonly kind: 'next' | 'return' | 'throw'
  readonly isAwaited: boolean
  /** Turns of the microtask queue before it. */
  readonly after: number
}

const sources = fc.array(
  fc.constantFrom<Source>(
    ...(['chunk', 'chunk', 'nothing', 'more, but not to be taken', 'take fails', 'look fails'] as const),
  ),
)
const calls = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('next', 'next', 'next', 'next', 'return', 'throw'),
    isAwaited: fc.boolean(),
    after: fc.nat(12),
  }),
  { maxLength: 12 },
)
const beginning = fc.boolean()

/** Writes down what is asked of it. */
class Steps implements ChunkSteps<string> {
  readonly log: string[] = []
  readonly #sources: Source[]
  readonly #begins: boolean
  #count = 0

  constructor(sources: readonly Source[], begins: boolean) {
    this.#sources = [...sources]
    this.#begins = begins
  }

  begin(): void {
    this.log.push('begin')
    if (!this.#begins) throw new Error('begin fails')
  }

  take(): Buffer | undefined {
    const source = this.#sources[0]
    if (source === 'take fails') {
      this.log.push('take fails')
      throw new Error(source)
    }
    if (source !== 'chunk') return undefined
    this.#sources.shift()
    this.log.push(`take ${++this.#count}`)
    return Buffer.from([this.#count])
  }

  pass(chunk: Buffer): void {
    this.log.push(`pass ${chunk[0]}`)
  }

  look(): string | undefined {
    const source = this.#sources[0]
    this.log.push(`look: ${source}`)
    if (source === 'nothing') return undefined
    if (source === 'look fails') throw new Error(source)
    if (source === 'more, but not to be taken') this.#sources.shift()
    return source === undefined ? 'idle' : 'more'
  }

  async changed(): Promise<void> {
    this.log.push('wait')
    for (let turns = 3; turns > 0; turns--) await Promise.resolve()
    this.#sources.shift()
  }

  end(): void {
    this.log.push('end')
  }
}

/** The same as the language has it. */
async function* generator(steps: ChunkSteps<string>): AsyncGenerator<Buffer, string, void> {
  steps.begin()
  try {
    for (;;) {
      const chunk = steps.take()
      if (chunk !== undefined) {
        yield chunk
        steps.pass(chunk)
        continue
      }
      let next = steps.look()
      for (; next === undefined; next = steps.look()) await steps.changed()
      if (next !== 'more') return next
    }
  } finally {
    steps.end()
  }
}

/** What was asked of the steps, and how each call ended, in the order in which they did. */
async function play(loop: AsyncGenerator<Buffer, string, void>, steps: Steps, calls: readonly Step[]) {
  const ends: string[] = []
  const settled = calls.map(() => Promise.resolve())
  for (const [index, { kind, isAwaited, after }] of calls.entries()) {
    for (let turns = after; turns > 0; turns--) await Promise.resolve()
    const call = {
      next: () => loop.next(),
      return: () => loop.return('left'),
      throw: () => loop.throw(kind),
    }[kind]
    settled[index] = call().then(
      ({ done, value }) => void ends.push(`${index} ${done} ${typeof value === 'object' ? value[0] : value}`),
      (error: unknown) => void ends.push(`${index} fails: ${String(error)}`),
    )
    if (isAwaited) await settled[index]
  }
  await Promise.all(settled)
  return { asked: steps.log, ends }
}

describe('a loop over chunks', () => {
  it('asks and answers what an async generator would, in its order, however it is called', async () => {
    await fc.assert(
      fc.asyncProperty(sources, beginning, calls, async (sources, begins, calls) => {
        const [ours, model] = [new Steps(sources, begins), new Steps(sources, begins)]
        assert.deepEqual(
          await play(new ChunkLoop(ours), ours, calls),
          await play(generator(model), model, calls),
        )
      }),
      { numRuns: 5000 },
    )
  })

  it('is left by a loop that is left, and by `await using`', async () => {
    const steps = new Steps(['chunk', 'chunk', 'chunk'], true)
    {
      await using loop = new ChunkLoop<string>(steps)
      for await (const chunk of loop) if (chunk[0] === 2) break
    }
    assert.deepEqual(steps.log, ['begin', 'take 1', 'pass 1', 'take 2', 'end'])
  })
})
