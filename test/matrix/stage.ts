// SPDX-License-Identifier: Apache-2.0
import { migrate, MigrationError, openDevice, type Device, type MigrationReport } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import type { DeviceCalls } from '#lib/backend/seam.js'
import type { StateName } from '#lib/kernel/state.js'
import type { MigrateOptions, MigrationProgress } from '#lib/migration/options.js'
import { moments, type Moment, type Participant } from '#lib/migration/participant.js'
import { reproduction, type Case, type Deed, type Scene, type SideName } from './case.js'

/** How long a case may take, in ms of the machine's time: one that stands still must not hold everybody up. */
const patienceMs = 20_000

/** One device, with the hand of somebody else on it. */
export interface Actor {
  readonly side: SideName
  readonly mock: MockDevice
  readonly device: Device
  readonly otherHolder: DeviceCalls
  readonly before: Before
}

/** What a device was when the migration began. */
export interface Before {
  readonly state: StateName
  readonly seed: bigint
  readonly epoch: bigint
  /** Where its history stood. */
  readonly events: number
}

/** What came of a case. */
export interface Observed {
  readonly actors: readonly Actor[]
  readonly report: MigrationReport | undefined
  /** What the migration ended with, and the failure behind a MigrationError. */
  readonly error: unknown
  readonly cause: unknown
  readonly events: readonly string[]
  /** What the participant was called for. */
  readonly moments: readonly Moment[]
  /** The phase in which the deed was done, and the state that a device was moved to by it. */
  readonly deedIn: string | undefined
  readonly movedTo: string | undefined
  /** Where the events of each actor's history stood at the deed, and when it was over. */
  readonly deedAt: readonly number[]
  readonly deedOver: readonly number[]
  /** Where they stood when all was over, and nothing was closed yet. */
  readonly overAt: readonly number[]
  /** The driver refused it. */
  readonly isInVain: boolean
  /** Digests of source and destination when the latter had been loaded, by member. */
  readonly digests: readonly ({ readonly source: string; readonly destination: string } | undefined)[]
  /** Every fault struck, and the event of the deed came. */
  readonly wasHit: boolean
}

const numbers = { STOP: 1, STOP_COPY: 3, RUNNING_P2P: 5 }

/** Latencies that differ, so that no two things happen at one time by chance. */
function optionsOf({ flavour, chunked, tight }: Scene, side: SideName, member: number): MockOptions {
  const isMtty = flavour === 'mtty'
  const hasQuery = ['mlx5', 'virtio', 'pds'].includes(flavour)
  const slower = member * 0.75 + (side === 'source' ? 0.01 : 0)
  return {
    flavour,
    name: `${side}-${member}`,
    seed: BigInt(side === 'source' ? 3 + member : 13 + member),
    dirty: '4MiB/s',
    ...(['mlx5', 'virtio', 'xe', 'pds'].includes(flavour) && { size: '48KiB' }),
    ...(chunked && { chunkSize: '16KiB' }),
    ...(tight && { dirty: '16KiB/s', reinit: true, bandwidth: { save: '1MiB/s', load: '1MiB/s' } }),
    latency: {
      SUSPEND_INITIATOR: 1 + slower,
      RESUME_INITIATOR: 1.25 + slower,
      RESET: 0.5,
      ...(!isMtty && { SUSPEND_RESPONDER: 1.5 + slower, RESUME_RESPONDER: 1 + slower }),
      ...(!isMtty && { SAVE: 3 + slower, LOAD: 2 + slower }),
      ...(hasQuery && { QUERY: 0.125 }),
    },
  }
}

export function beforeOf({ state, seed, epoch, history }: MockDevice): Before {
  return { state, seed, epoch, events: history.length }
}

export async function actor(
  clock: VirtualClock,
  scene: Scene,
  side: SideName,
  member: number,
): Promise<Actor> {
  const mock = new MockDevice({ ...optionsOf(scene, side, member), clock, origin: scene.origin })
  const device = await openDevice(mock)
  const otherHolder = mock.open().calls
  return { side, mock, device, otherHolder, before: beforeOf(mock) }
}

/** Runs a case on the virtual clock, and closes what it has opened. */
export async function run(given: Case): Promise<Observed> {
  let patience: NodeJS.Timeout | undefined
  const standstill = new Promise<never>((_, reject) => {
    patience = setTimeout(() => reject(new Error(`It stands still: ${reproduction(given)}`)), patienceMs)
  })
  try {
    return await Promise.race([standstill, new Run(given).run()])
  } finally {
    clearTimeout(patience)
  }
}

class Run {
  readonly #case: Case
  readonly #clock = new VirtualClock()
  readonly #controller = new AbortController()
  readonly #events: string[] = []
  readonly #moments: Moment[] = []
  readonly #digests: ({ source: string; destination: string } | undefined)[] = []
  #actors: Actor[] = []
  #phase = 'preflight'
  #deedIn: string | undefined
  #movedTo: string | undefined
  #deedAt: number[] = []
  #deedOver: number[] = []
  #isInVain = false
  #deeds: Promise<unknown>[] = []

  constructor(given: Case) {
    this.#case = given
  }

  async run(): Promise<Observed> {
    const { scene, faults = [], whileHeld } = this.#case
    const names = (['source', 'destination'] as const).flatMap(side =>
      Array.from({ length: scene.members }, (_, member) => ({ side, member })),
    )
    for (const { side, member } of names) this.#actors.push(await actor(this.#clock, scene, side, member))
    await this.#clock.sleep(4)
    if (scene.begins) await this.#lead(scene.begins)
    this.#actors = this.#actors.map(one => ({ ...one, before: beforeOf(one.mock) }))
    for (const { side, member, fault } of faults) this.#actor(side, member).mock.inject(fault)
    const isOver = new AbortController()
    const letGo = whileHeld && this.#whileHeld(whileHeld, isOver.signal)
    const { report, error } = await this.#migrate()
    isOver.abort()
    await letGo
    await Promise.all(this.#deeds)
    const unused = this.#actors.flatMap(({ mock }) => mock.unusedFaults())
    const isDone = (this.#case.at ?? whileHeld) === undefined || this.#deedIn !== undefined
    return {
      actors: this.#actors,
      report,
      error,
      cause: error instanceof MigrationError ? error.cause : error,
      events: this.#events,
      moments: this.#moments,
      deedIn: this.#deedIn,
      movedTo: this.#movedTo,
      deedAt: this.#deedAt,
      deedOver: this.#deedOver,
      overAt: this.#now(),
      isInVain: this.#isInVain,
      digests: this.#digests,
      wasHit: unused.length === 0 && isDone,
    }
  }

  #actor(side: SideName, member: number): Actor {
    const found = this.#actors.filter(one => one.side === side)[member]
    if (found === undefined) throw new Error(`There is no ${side} ${member}`)
    return found
  }

  async #migrate(): Promise<{ report: MigrationReport | undefined; error: unknown }> {
    const { onStuck, precopy, logged, tight, noP2pDma } = this.#case.scene
    const options: MigrateOptions = {
      from: this.#devices('source'),
      to: this.#devices('destination'),
      signal: this.#controller.signal,
      onProgress: progress => this.#onProgress(progress),
      participant: this.#participant(),
      ...(onStuck && { onStuck }),
      ...(precopy === false && { precopy }),
      ...(noP2pDma && { noP2pDma }),
      ...(tight && { downtimeLimitMs: 40 }),
      ...(logged && {
        dmaLogging: { pageSize: 4096, ranges: [{ iova: 0n, length: 65_536n }], onDirty: () => undefined },
      }),
    }
    try {
      return { report: await migrate(options), error: undefined }
    } catch (error) {
      return { report: error instanceof MigrationError ? error.report : undefined, error }
    }
  }

  #devices(side: SideName): Device[] {
    return this.#actors.filter(one => one.side === side).map(({ device }) => device)
  }

  #onProgress(progress: MigrationProgress): void {
    if (progress.kind === 'phase') this.#phase = progress.phase
    if (progress.kind === 'arcs' && progress.arcs.some(({ from }) => from === 'RESUMING'))
      this.#loaded(progress.device)
    const event = this.#events.length
    this.#events.push(`${progress.kind} in ${this.#phase}`)
    if (event === this.#case.at?.event) this.#do(this.#case.at.deed)
  }

  #loaded(device: string): void {
    const member = Number(device.split('-')[1])
    const [source, destination] = [this.#actor('source', member), this.#actor('destination', member)]
    this.#digests[member] = { source: source.mock.digest(), destination: destination.mock.digest() }
  }

  /** Notes what it is called for, and fails where it is to. */
  #participant(): Participant {
    const forever = new Promise<never>(() => undefined)
    const { moment: failing, how } = this.#case.participant ?? {}
    const attend = (moment: Moment): Promise<undefined> => {
      this.#moments.push(moment)
      if (moment !== failing) return Promise.resolve(undefined)
      this.#deedIn = moment
      if (how === 'throws') throw new Error('not this one')
      if (how === 'hangs') return forever
      this.#actor('source', this.#case.scene.members - 1).mock.reinit()
      return Promise.resolve(undefined)
    }
    return Object.fromEntries(moments.map(moment => [moment, () => attend(moment)]))
  }

  async #whileHeld(deed: Deed, isOver: AbortSignal): Promise<void> {
    const over = new Promise<void>(resolve => isOver.addEventListener('abort', () => resolve()))
    await Promise.race([over, ...this.#actors.map(async ({ mock }) => await mock.untilHeld())])
    if (isOver.aborted) return
    this.#do(deed)
    await this.#clock.sleep(50)
    for (const { mock } of this.#actors) mock.releaseHeld()
  }

  #do(deed: Deed): void {
    this.#deedIn = this.#phase
    this.#deedAt = this.#now()
    if (deed.kind === 'signal') this.#controller.abort('enough')
    else if (deed.kind === 'onProgress throws') throw new Error('from the callback')
    else this.#deeds.push(this.#byOtherHolder(deed.kind, this.#actor(deed.side, deed.member)))
  }

  /** Whoever has the sources has led them there. */
  async #lead(state: 'STOP' | 'RUNNING_P2P'): Promise<void> {
    for (const { side, otherHolder } of this.#actors)
      if (side === 'source') await otherHolder.setStates([numbers[state]])
  }

  #now(): number[] {
    return this.#actors.map(({ mock }) => mock.history.length)
  }

  async #byOtherHolder(kind: 'reset' | 'moved', { otherHolder, mock }: Actor): Promise<void> {
    const result = kind === 'reset' ? await otherHolder.reset() : await this.#move(otherHolder, mock)
    this.#deedOver = this.#now()
    this.#isInVain = result < 0
  }

  async #move(otherHolder: DeviceCalls, { state }: MockDevice): Promise<number> {
    const to = state === 'STOP' ? 'STOP_COPY' : 'STOP'
    this.#movedTo = to
    const { result, session } = await otherHolder.setStates([numbers[to]])
    await session?.close()
    return result
  }
}

/** Closes all, and answers what a device still had open then. */
export async function closeAll(actors: readonly Actor[]): Promise<string[]> {
  for (const { device, otherHolder, mock } of actors) {
    mock.releaseHeld()
    await device.close()
    await otherHolder.close()
    await mock.release()
  }
  return actors.filter(({ mock }) => mock.poll() !== undefined).map(({ mock }) => mock.name)
}
