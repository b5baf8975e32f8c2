// SPDX-License-Identifier: Apache-2.0
// Plays a case: on mocks and on the bottled driver alike, and decided by nothing but what happens.
import { migrate, MigrationError, type MigrationReport, type Policy } from '#lib/index.js'
import type { MigrateOptions, MigrationProgress } from '#lib/migration/options.js'
import { moments, type Moment, type Participant } from '#lib/migration/participant.js'
import type { SideName } from '../../matrix/case.ts'
import type { Sampled, SampledDeed } from './case.ts'
import { size, type Hands, type Holding, type Life, type Stage } from './stage.ts'

const sides = ['source', 'destination'] as const

/** How long a participant may take that does not answer, in ms. */
const patienceMs = 200

/** What each device held at one moment. */
export type Holdings = Readonly<Record<SideName, Holding>>

/** What came of a case. */
export interface Played {
  readonly report: MigrationReport | undefined
  readonly error: unknown
  /** What the source held when it began to give. */
  readonly moved: Life
  /** The participant's moments, and who executed the state that is moved then. */
  readonly moments: readonly (readonly [Moment, readonly SideName[]])[]
  /** Events at which more than one did. */
  readonly twoOwners: readonly string[]
  readonly atBegin: Holdings
  /** When the destination had left RESUMING. */
  readonly loaded: Holdings | undefined
  readonly atEnd: Holdings
  /** Steps of that state that each side made meanwhile. */
  readonly steps: Readonly<Record<SideName, number>>
  /** The phase in which the deed was done, what the device was led to by it, and what had been seen before and behind it. */
  readonly deedIn: string | undefined
  readonly movedTo: string | undefined
  readonly deedAt: readonly number[]
  readonly deedOver: readonly number[]
  readonly isInVain: boolean
}

export async function play(given: Sampled, stage: Stage): Promise<Played> {
  return await new Play(given, stage).run()
}

class Play {
  readonly #given: Sampled
  readonly #stage: Stage
  readonly #controller = new AbortController()
  readonly #moments: [Moment, SideName[]][] = []
  readonly #twoOwners: string[] = []
  readonly #steps = { source: 0, destination: 0 }
  #moved: Life = 'source'
  #loaded: Holdings | undefined
  #phase = 'preflight'
  #deedIn: string | undefined
  #movedTo: string | undefined
  #deedAt: number[] = []
  #deedOver: number[] = []
  #isInVain = false
  readonly #over = new AbortController()

  constructor(given: Sampled, stage: Stage) {
    this.#given = given
    this.#stage = stage
  }

  async run(): Promise<Played> {
    const { whileHeld } = this.#given
    const atBegin = this.#holdings()
    const letGo = whileHeld && this.#whileHeld(whileHeld)
    const ended = await this.#migrate()
    this.#over.abort()
    await letGo
    return {
      ...ended,
      moved: this.#moved,
      moments: this.#moments,
      twoOwners: this.#twoOwners,
      atBegin,
      loaded: this.#loaded,
      atEnd: this.#holdings(),
      steps: this.#steps,
      deedIn: this.#deedIn,
      movedTo: this.#movedTo,
      deedAt: this.#deedAt,
      deedOver: this.#deedOver,
      isInVain: this.#isInVain,
    }
  }

  async #migrate(): Promise<Pick<Played, 'report' | 'error'>> {
    const { scene, participant } = this.#given
    const { precopy, onStuck, logged } = scene
    const options: MigrateOptions = {
      from: this.#stage.source.device,
      to: this.#stage.destination.device,
      signal: this.#controller.signal,
      onProgress: progress => this.#onProgress(progress),
      policy: this.#policy,
      participant: this.#participant(),
      ...(participant?.how === 'hangs' && { participantLimits: { [participant.moment]: patienceMs } }),
      ...(precopy === false && { precopy }),
      ...(onStuck && { onStuck }),
      ...(logged && {
        dmaLogging: {
          pageSize: 4096,
          ranges: [{ iova: 0n, length: BigInt(size) }],
          onDirty: () => undefined,
        },
      }),
    }
    return await migrate(options).then(
      report => ({ report, error: undefined }),
      (error: unknown) => ({ report: error instanceof MigrationError ? error.report : undefined, error }),
    )
  }

  /** Two rounds, with three steps of the workload between them. */
  readonly #policy: Policy = ({ round }) => {
    this.#look(`rule ${round}`)
    if (round === 1) this.#step('source', 3)
    const deed = this.#deedAtHand(`rule ${round}`)
    if (deed?.kind === 'begins anew') this.#stage.source.beginAnew()
    if (deed?.kind === 'gives up') return 'abort'
    return round < 2 ? 'continue' : 'switch'
  }

  #onProgress(progress: MigrationProgress): void {
    if (progress.kind === 'bytes') return
    if (progress.kind === 'phase') this.#phase = progress.phase
    const event = nameOf(progress)
    if (beginsToGive.test(event)) this.#moved = this.#stage.source.holds().of
    this.#look(event)
    if (event === 'arcs destination RESUMING->STOP') this.#loaded = this.#holdings()
    const deed = this.#deedAtHand(event)
    if (deed?.kind === 'signal') this.#controller.abort('enough')
    if (deed?.kind === 'onProgress throws') throw new Error('from the callback')
  }

  /** Notes who has the state, lets that one go on, and fails where it is to. */
  #participant(): Participant {
    const { participant, failsWhileHeld } = this.#given
    const waits = !failsWhileHeld && this.#isWhileItFlows
    const attend = async (moment: Moment): Promise<undefined> => {
      this.#moments.push([moment, this.#look(`in ${moment}`)])
      for (const side of sides) if (moment !== 'released') this.#step(side, 1)
      if (waits && moment === 'stopped') await this.#stage.untilLoaded()
      await this.#doIn(`in ${moment}`)
      if (participant?.moment !== moment) return undefined
      this.#deedIn = moment
      if (participant.how === 'hangs') return await new Promise<never>(() => undefined)
      if (failsWhileHeld && (await this.#stage.untilHeld(this.#over.signal)))
        setImmediate(() => void this.#stage.release())
      throw new Error('not this one')
    }
    return Object.fromEntries(moments.map(moment => [moment, () => attend(moment)]))
  }

  /** Where that is done while the last image is under way it is done when that has come: how much had is by chance. */
  get #isWhileItFlows(): boolean {
    const { at, participant } = this.#given
    return participant?.moment === 'stopped' || at?.on === 'moment stopped'
  }

  async #doIn(event: string): Promise<void> {
    const deed = this.#deedAtHand(event)
    if (deed?.kind === 'signal') this.#controller.abort('enough')
    if (deed?.kind === 'begins anew') this.#stage.source.beginAnew()
    if (deed?.kind === 'taken away') await this.#stage[deed.side].takeAway()
    if (deed?.kind === 'reset') this.#after(await (await this.#stage[deed.side].reset()).over)
    if (deed?.kind === 'moved') this.#after(await this.#move(this.#stage[deed.side]))
  }

  async #whileHeld(deed: SampledDeed): Promise<void> {
    if (!(await this.#stage.untilHeld(this.#over.signal))) return
    this.#begin()
    if (deed.kind === 'signal') this.#controller.abort('enough')
    const reset = deed.kind === 'reset' ? await this.#stage[deed.side].reset() : undefined
    await this.#stage.release()
    if (reset) this.#after(await reset.over)
  }

  /** The deed of the case where it belongs to this event, which it does once. */
  #deedAtHand(event: string): SampledDeed | undefined {
    const { at } = this.#given
    if (at?.on !== event || this.#deedIn !== undefined) return undefined
    this.#begin()
    return at.deed
  }

  #begin(): void {
    this.#deedIn = this.#phase
    this.#deedAt = this.#stage.marks()
  }

  #after(result: number): void {
    this.#deedOver = this.#stage.marks()
    this.#isInVain = result < 0
  }

  async #move(hands: Hands): Promise<number> {
    const to = (await hands.state()) === 'STOP' ? 'STOP_COPY' : 'STOP'
    this.#movedTo = to
    return await hands.lead(to)
  }

  /** Who executes the state that is moved now; more than one is one too many. */
  #look(event: string): SideName[] {
    const owners = sides.filter(side => this.#isOwner(side))
    if (owners.length > 1) this.#twoOwners.push(event)
    return owners
  }

  /** Asked in this order: whoever runs by a reset has a state of its own by then. */
  #isOwner(side: SideName): boolean {
    const hands = this.#stage[side]
    return hands.runs() && hands.holds().of === this.#moved
  }

  #step(side: SideName, steps: number): void {
    if (!this.#isOwner(side)) return
    this.#stage[side].step(steps)
    this.#steps[side] += steps
  }

  #holdings(): Holdings {
    const { source, destination } = this.#stage
    return { source: source.holds(), destination: destination.holds() }
  }
}

const beginsToGive = /^arcs source (RUNNING->PRE_COPY|RUNNING_P2P->PRE_COPY_P2P|STOP->STOP_COPY)$/

function nameOf(progress: Exclude<MigrationProgress, { kind: 'bytes' }>): string {
  if (progress.kind === 'phase') return `phase ${progress.phase}`
  if (progress.kind === 'round') return `round ${progress.progress.round}`
  if (progress.kind === 'moment') return `moment ${progress.moment}`
  const last = progress.arcs.at(-1)
  return `arcs ${progress.side} ${last?.from}->${last?.to}`
}
