// SPDX-License-Identifier: Apache-2.0
import { MigrationError, openDevice } from '#lib/index.js'
import { stateName, stateNumber } from '#lib/kernel/state.js'
import { MockDevice, VirtualClock, type MockOptions } from '#lib/mock/index.js'
import type { SideName } from '../../matrix/case.ts'
import { livesOf } from '../../matrix/owners.ts'
import { beforeOf, closeAll, type Actor, type Observed } from '../../matrix/stage.ts'
import { judge } from '../../matrix/verdict.ts'
import { asOfMatrix, type Sampled } from './case.ts'
import { endOf, type End } from './end.ts'
import { knowsOfReinit } from './kinds.ts'
import { play, type Played } from './play.ts'
import { check } from './rules.ts'
import { digestOf, size, type Beginnings, type Hands, type Life, type Stage } from './stage.ts'

/** So that who ran when can be told. */
const latency = {
  ...{ SUSPEND_INITIATOR: 1, SUSPEND_RESPONDER: 1.5, RESUME_RESPONDER: 1, RESUME_INITIATOR: 1.25 },
  ...{ QUERY: 0.125, SAVE: 3, LOAD: 2, RESET: 0.5 },
}

/** How it ends with mocks, as docs/recovery.md has it; undefined where nobody comes to the case. */
export async function onMocks(given: Sampled, beginnings: Beginnings): Promise<End | undefined> {
  const stage = await MockStage.begin(given, beginnings)
  const played = await play(given, stage)
  const end = stage.wasHit(played) ? await endOf(stage, played) : undefined
  const known = end && asOfMatrix(given, end)
  if (end) check(given, played, end)
  if (known) await judge(known, stage.observed(played))
  await stage.close()
  return end
}

class MockStage implements Stage {
  readonly source: Hands
  readonly destination: Hands
  readonly #given: Sampled
  readonly #clock: VirtualClock
  readonly #actors: readonly [Actor, Actor]

  private constructor(given: Sampled, clock: VirtualClock, actors: readonly [Actor, Actor]) {
    this.#given = given
    this.#clock = clock
    this.#actors = actors
    const [from, to] = actors
    this.source = handsOf(from, () => born('source', from))
    this.destination = handsOf(to, () => {
      if (to.mock.seed !== from.mock.seed) return born('destination', to)
      const { given } = livesOf(from.mock, to.mock)
      return given === `${from.mock.name}/0` ? 'source' : 'source, reset'
    })
  }

  static async begin(given: Sampled, { source, destination }: Beginnings): Promise<MockStage> {
    const clock = new VirtualClock()
    const { origin } = given.scene
    const from = await actorOf('source', { ...source, clock, origin })
    const to = await actorOf('destination', { ...destination, clock, origin })
    await clock.sleep(4)
    if (given.scene.begins) await from.otherHolder.setStates([stateNumber(given.scene.begins)])
    const asTheyAre = (one: Actor): Actor => ({ ...one, before: beforeOf(one.mock) })
    for (const { side, fault } of given.faults ?? []) (side === 'source' ? from : to).mock.inject(fault)
    return new MockStage(given, clock, [asTheyAre(from), asTheyAre(to)])
  }

  async untilHeld(isOver: AbortSignal): Promise<boolean> {
    const over = new Promise<void>(resolve => isOver.addEventListener('abort', () => resolve()))
    await Promise.race([over, ...this.#actors.map(({ mock }) => mock.untilHeld())])
    return !isOver.aborted
  }

  async release(): Promise<void> {
    await this.#clock.sleep(50)
    for (const { mock } of this.#actors) mock.releaseHeld()
  }

  async untilLoaded(): Promise<void> {
    while (this.destination.holds().digest !== this.source.holds().digest) await this.#clock.sleep(1)
  }

  marks(): number[] {
    return this.#actors.map(({ mock }) => mock.history.length)
  }

  wasHit({ deedIn }: Played): boolean {
    const { at, whileHeld, participant } = this.#given
    const isDone = deedIn !== undefined || (at ?? whileHeld ?? participant) === undefined
    return isDone && this.#actors.every(({ mock }) => mock.unusedFaults().length === 0)
  }

  /** As the matrix looks at it. */
  observed(played: Played): Observed {
    const { error, loaded, moments } = played
    return {
      ...played,
      actors: this.#actors,
      cause: error instanceof MigrationError ? error.cause : error,
      events: [],
      moments: moments.map(([moment]) => moment),
      overAt: this.marks(),
      digests: [loaded && { source: loaded.source.digest, destination: loaded.destination.digest }],
      wasHit: true,
    }
  }

  async close(): Promise<void> {
    await closeAll(this.#actors)
  }
}

async function actorOf(
  side: SideName,
  { epoch, ...options }: MockOptions & { readonly epoch: number },
): Promise<Actor> {
  const kernel = knowsOfReinit ? '7.2' : '6.12'
  const mock = new MockDevice({ ...options, name: `${side}-0`, size, kernel, latency, reinit: knowsOfReinit })
  const device = await openDevice(mock)
  const otherHolder = mock.open().calls
  mock.step(epoch)
  return { side, mock, device, otherHolder, before: beforeOf(mock) }
}

/** What it holds unless something was loaded into it. */
const born = (side: SideName, actor: Actor): Life => (resetsOf(actor) > 0 ? `${side}, reset` : side)

function resetsOf({ mock, before }: Actor): number {
  const since = mock.history.slice(before.events)
  return since.filter(event => event.kind === 'event' && event.event === 'reset').length
}

function handsOf(actor: Actor, lifeOf: () => Life): Hands {
  const { mock, device, otherHolder } = actor
  return {
    device,
    state: async () => stateName(await otherHolder.getState()),
    runs: () => mock.state === 'RUNNING' || mock.state === 'PRE_COPY',
    holds() {
      const [epoch, digest] = [Number(mock.epoch), mock.digest()]
      return { of: lifeOf(), epoch, digest, isTrue: digest === digestOf(mock.seed, epoch) }
    },
    step: steps => mock.step(steps),
    resets: () => resetsOf(actor),
    reset: () => Promise.resolve({ over: otherHolder.reset() }),
    async lead(state) {
      const { result, session } = await otherHolder.setStates([stateNumber(state)])
      await session?.close()
      return result
    },
    beginAnew: () => mock.reinit(),
    takeAway: () => mock.detach(),
  }
}
