// SPDX-License-Identifier: Apache-2.0
import type { Finding, SideFacts } from '../checks/preflight_facts.ts'
import type { Device } from '../device/device.ts'
import { VfioError } from '../errors.ts'
import { publish } from '../events.ts'
import { inProcessLink } from '../link/in_process.ts'
import { destinationOwner } from '../ownership/destination.ts'
import { MemoryJournal } from '../ownership/journal.ts'
import { sourceOwner } from '../ownership/source.ts'
import type { DestinationMessage, Prepared, SourceMessage } from '../wire/message.ts'
import type { CheckedOptions } from './check_options.ts'
import { DestinationRole, type DestinationLink } from './destination_role.ts'
import { DirtyLog } from './dirty_log.ts'
import { Estimator, type Standing } from './estimate.ts'
import type { Failure } from './failure.ts'
import type { Happening, MigrationProgress } from './options.ts'
import { Outflow, type SourceLink } from './outflow.ts'
import { handoverOf, outlooks } from './outlook.ts'
import { overrun, overrunError } from './overrun.ts'
import type { Outcome } from './participant.ts'
import { Participation } from './participation.ts'
import { Timeline } from './phases.ts'
import { preflight, refuse, sideFacts, type SideStatus } from './preflight.ts'
import type { Forecast, PolicyProgress, Reasoned, RoundSample } from './progress.ts'
import { reportOf } from './report_of.ts'
import type { MigrationReport, RoundReport } from './report.ts'
import { Side } from './side.ts'
import { SourceMember } from './source_member.ts'
import { SourceRole } from './source_role.ts'
import { steer, type Steered } from './steer.ts'
import { Stop } from './stop.ts'
import { Throttle } from './throttle.ts'

/** How it ended. */
export interface MigrationEnd {
  readonly report: MigrationReport
  /** Every device is where it was, and holds what it held. */
  readonly isAsBefore: boolean
  /** More was done than to ask. */
  readonly isBegun: boolean
  readonly failure?: Failure
}

let migrations = 0

/** A migration inside this process: both roles, the link between them, and what they came to. */
export class Migration {
  /** Tells the events of migrations that run at the same time apart. */
  readonly #id = ++migrations
  readonly #options: CheckedOptions
  readonly #stop: Stop
  readonly #throttle: Throttle
  readonly #timeline: Timeline
  readonly #participation: Participation
  readonly #sources: readonly Side[]
  readonly #destinations: readonly Side[]
  readonly #dirtyLog: DirtyLog | undefined
  readonly #rounds: RoundReport[] = []
  #findings: readonly Finding[] = []
  #members: readonly SourceMember[] = []
  #estimator: Estimator | undefined
  #steered: Steered | undefined
  #role: SourceRole | undefined
  /** What every event has beside what it is about. */
  #foreseen: { readonly forecast?: Forecast } = {}

  constructor(options: CheckedOptions) {
    const { clock, from, to, participant, participantLimits: limits, signal } = options
    this.#options = options
    this.#stop = new Stop(signal)
    this.#throttle = new Throttle(clock, options.bandwidth)
    this.#participation = new Participation(participant, {
      clock,
      limits,
      signal: this.#stop.signal,
      onMoment: ({ moment, ms, ...failure }) =>
        this.#tell({ kind: 'moment', moment, ms, ...('error' in failure && { error: failure.error }) }),
    })
    this.#dirtyLog = options.dmaLogging && new DirtyLog(options.dmaLogging)
    this.#timeline = new Timeline(
      () => clock.now(),
      phase => this.#tell({ kind: 'phase', phase }),
    )
    this.#sources = from.map(device => this.#side('source', device))
    this.#destinations = to.map(device => this.#side('destination', device))
  }

  /** What came of it, and the first failure where not all of it happened. */
  async run(): Promise<MigrationEnd> {
    publish('start', { migration: this.#id, devices: this.#sources.map(({ device }) => device.name) })
    const { outcome, failure } = await this.#run()
    this.#stop.release()
    this.#throttle.close()
    const report = await this.#report(outcome)
    publish('end', { migration: this.#id, report, ...failure })
    const sides = [...this.#sources, ...this.#destinations]
    const isAsBefore = sides.every(side => side.isAsBefore)
    const isBegun = this.#role?.isBegun === true
    return { report, isAsBefore, isBegun, ...(failure && { failure }) }
  }

  async #run(): Promise<{ outcome: Outcome; failure?: Failure | undefined }> {
    const [ours, theirs] = inProcessLink<SourceMessage, DestinationMessage>()
    const role = (this.#role = await this.#sourceRole(ours))
    const [outcome] = await Promise.all([role.run(), (await this.#destinationRole(theirs)).run()])
    if (role.isBegun) await this.#participation.released(this.#options.from, outcome).catch(() => undefined)
    return { outcome, failure: role.failure }
  }

  async #sourceRole(link: SourceLink): Promise<SourceRole> {
    const { onStuck } = this.#options
    this.#members = this.#sources.map((side, member) => this.#member(side, member, link))
    return new SourceRole({
      members: this.#members,
      link,
      owner: await sourceOwner(new MemoryJournal()),
      participation: this.#participation,
      timeline: this.#timeline,
      stop: this.#stop,
      dirtyLog: this.#dirtyLog,
      onStuck,
      isSet: this.#waitForEachOther,
      facts: async () => await sideFacts(this.#options.from),
      preflight: (from, to) => this.#refuse(from as SideStatus, to as SideStatus),
      precopy: async prepared => await this.#precopy(prepared),
      weigh: standing => this.#weigh(standing),
    })
  }

  async #destinationRole(link: DestinationLink): Promise<DestinationRole> {
    return new DestinationRole({
      sides: this.#destinations,
      link,
      owner: await destinationOwner(new MemoryJournal()),
      participation: this.#participation,
      timeline: this.#timeline,
      onStuck: this.#options.onStuck,
      isSet: this.#waitForEachOther,
      facts: async () => await sideFacts(this.#options.to),
      beforeResuming: async () => await this.#refuseOneDevice(),
      beforeCommit: () => this.#stop.throwIfStopped(),
    })
  }

  #member(side: Side, member: number, link: SourceLink): SourceMember {
    const { device } = side
    const outflow = new Outflow(member, device, {
      link,
      throttle: this.#throttle,
      onLoaded: bytes =>
        this.#tell({
          kind: 'bytes',
          device: device.name,
          member,
          phase: this.#role?.times.stoppingAt === undefined ? 'precopy' : 'stop-copy',
          bytes,
        }),
    })
    return new SourceMember(side, outflow, {
      wantsPrecopy: this.#options.precopy !== false,
      stop: this.#stop,
      relayTo: this.#options.bandwidth === undefined ? this.#options.to[member] : undefined,
    })
  }

  /** In this process both sides are asked alike, so that what the other one tells is as it is. */
  #refuse(source: SideStatus, destination: SideStatus): void {
    for (const [index, member] of this.#members.entries())
      member.stateBytes = source.devices[index]?.stateBytes
    const pairs = source.devices.map((from, index) => ({ from, to: destination.devices[index] as SideFacts }))
    this.#findings = preflight(pairs, { from: source.machine, to: destination.machine }, this.#options)
    const refusal = refuse(this.#findings)
    if (refusal) throw refusal
  }

  /** Two fds may be of one device without telling: stopping the destination shows it, and can be undone. */
  async #refuseOneDevice(): Promise<void> {
    for (const [index, { device, before }] of this.#sources.entries()) {
      if ((await device.state()) === before) continue
      const other = this.#destinations[index]?.device.name
      const text = `'${device.name}' stopped together with '${other}': they are one device, or another process drives it`
      throw new VfioError('ERR_VFIO_REFUSED', text, { device: device.name })
    }
  }

  /** Those of a set may talk to each other: none goes on before all have stopped talking. */
  get #waitForEachOther(): boolean {
    return this.#sources.length > 1 && this.#options.noP2pDma !== true
  }

  async #precopy(prepared: Prepared): Promise<void> {
    const { bandwidth, clock, deadlineMs, participantMs, policy } = this.#options
    const handoverMs = handoverOf(this.#timeline.msOf('prepare'), prepared)
    const estimator = new Estimator(outlooks(this.#members, prepared), { bandwidth, handoverMs })
    this.#estimator = estimator
    const predicted = estimator.predict(clock.now(), participantMs)
    this.#foreseen = {
      forecast: { round: 0, predicted, decision: 'continue', why: 'no round has ended yet' },
    }
    const steering = steer(
      { clock, round: async () => await this.#round() },
      {
        policy,
        estimator,
        participantMs,
        onRound: (progress, reasoned) => this.#onRound(progress, reasoned),
      },
    )
    // Behind the beginning that the stop rule is told of: what is cut short is over the deadline for it, too.
    const cancel = deadlineMs === undefined ? undefined : clock.after(deadlineMs, () => this.#cutShort())
    try {
      this.#steered = await steering
    } finally {
      cancel?.()
    }
    const { decision, why } = this.#steered
    if (decision === 'abort') throw new VfioError('ERR_VFIO_POLICY', `The stop rule gave up: ${why}`)
  }

  /** Nobody could foresee it, and it can still be undone. */
  #weigh(standing: Standing): void {
    const [estimator, steered] = [this.#estimator, this.#steered]
    if (estimator === undefined || steered === undefined) return
    const found = overrun(estimator, steered, standing)
    const source = found && this.#sources[found.member]
    if (source) this.#stop.because(overrunError(found, source.device.name))
  }

  /** The deadline does not wait for the end of a round: what it leaves is read when the device has stopped. */
  #cutShort(): void {
    for (const member of this.#members) member.cutShort()
  }

  async #round(): Promise<readonly (RoundSample | undefined)[]> {
    const samples = Promise.all(this.#members.map(member => member.round()))
    await this.#stop.during(Promise.all([samples, this.#dirtyLog?.report(false)]))
    return await samples
  }

  #onRound(progress: PolicyProgress, reasoned: Reasoned): void {
    const { round, predicted } = progress
    const samples = this.#members.map(({ samples }) => samples.at(-1))
    const bytes = samples.reduce((sum, sample) => sum + (sample?.bytes ?? 0), 0)
    const { decision, why } = reasoned
    const forecast = { round, predicted, decision, why }
    this.#foreseen = { forecast }
    if (round > 0) this.#rounds.push({ ...forecast, atMs: this.#timeline.ms, bytes })
    this.#tell({ kind: 'round', progress, reasoned, samples })
    this.#stop.throwIfStopped()
  }

  /**
   * `happening` is the event's own: it is told with what is foreseen. What the callback throws ends the migration where it
   * can be undone, not between two arcs.
   */
  #tell(happening: Happening): void {
    const progress: MigrationProgress = Object.assign(happening, this.#foreseen)
    publish(progress.kind, { migration: this.#id, ...progress })
    try {
      const answer: unknown = this.#options.onProgress?.(progress)
      // It is not awaited; what it rejects with counts as thrown.
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#stop.because(error))
    } catch (error) {
      this.#stop.because(error)
    }
  }

  #side(side: 'source' | 'destination', device: Device): Side {
    return new Side(device, arcs => this.#tell({ kind: 'arcs', side, device: device.name, arcs }))
  }

  async #report(outcome: Outcome): Promise<MigrationReport> {
    return await reportOf({
      outcome,
      findings: this.#findings,
      sources: this.#sources,
      destinations: this.#destinations,
      members: this.#members,
      timeline: this.#timeline,
      times: this.#role?.times ?? {},
      rounds: this.#rounds,
      steered: this.#steered,
      moments: this.#participation.reports,
    })
  }
}
