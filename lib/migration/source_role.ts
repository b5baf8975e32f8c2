// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto'
import type { Device } from '../device/device.ts'
import { VfioError } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import type { SourceOwner } from '../ownership/source.ts'
import type { Prepared } from '../wire/message.ts'
import type { Failure } from './failure.ts'
import type { DirtyLog } from './dirty_log.ts'
import type { Standing } from './estimate.ts'
import type { Outflow, SourceLink } from './outflow.ts'
import type { Outcome } from './participant.ts'
import type { Participation } from './participation.ts'
import type { Timeline } from './phases.ts'
import { takeBack, type OnStuck } from './recovery.ts'
import { savingBegins } from './saving.ts'
import { lead, type Side } from './side.ts'
import { SourceInbox } from './source_inbox.ts'
import type { SourceMember } from './source_member.ts'
import type { Stop } from './stop.ts'

/** When what ended, on the source's clock: what the downtime is made of. */
export interface SwitchoverTimes {
  stoppingAt?: number
  stoppedAt?: number
  runningAt?: number
  /** Taken back: every source runs again, one of which had stood. */
  resumedAt?: number
}

export interface SourceRoleOptions {
  readonly members: readonly SourceMember[]
  readonly link: SourceLink
  readonly owner: SourceOwner
  readonly participation: Participation
  readonly timeline: Timeline
  readonly stop: Stop
  readonly dirtyLog: DirtyLog | undefined
  readonly onStuck: OnStuck | undefined
  /** What this side tells of itself. */
  readonly facts: () => Promise<unknown>
  /** Throws what speaks against a migration to those. */
  readonly preflight: (ours: unknown, theirs: unknown) => void
  /** Several devices that may talk to each other: none goes beyond its P2P state before all are there. */
  readonly isSet: boolean
  /** Pre-copy until it is to be switched. */
  readonly precopy: (prepared: Prepared) => Promise<void>
  /** Told of what the devices have announced now that they stand; what it stops is taken back, `yielded` being unsaid. */
  readonly weigh: (standing: Standing) => void
}

/** The side that gives: drives its devices, and lets go of them only when the destination owns their state. */
export class SourceRole {
  readonly times: SwitchoverTimes = {}
  readonly #o: SourceRoleOptions
  readonly #inbox: SourceInbox
  #yielding: Promise<void> | undefined
  /** The destination may have heard that these devices run no more. */
  #hasYielded = false
  #isBegun = false
  /** How many arcs each device had made when it was to be stopped. */
  #arcsBefore: readonly number[] = []
  #failure: Failure | undefined

  constructor(options: SourceRoleOptions) {
    this.#o = options
    this.#inbox = new SourceInbox({
      onLoaded: ({ member, bytes }) => this.#outflowOf(member).acknowledge(bytes),
      onComplete: ({ member, bytes, digest }) => this.#outflowOf(member).complete(bytes, digest),
      onRunning: () => {
        this.times.runningAt = this.#now() - options.link.roundTripMs / 2
      },
      onLost: error => this.#lost(error),
    })
  }

  /** What failed, if anything did. */
  get failure(): Failure | undefined {
    return this.#failure
  }

  /** Something may have been touched. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Never rejects: what failed is in {@link failure}. The link is closed afterwards. */
  async run(): Promise<Outcome> {
    void this.#inbox.listen(this.#o.link)
    const outcome = await this.#migrate().catch(async (error: unknown) => await this.#takeBack(error))
    await this.#stopLogging()
    this.#o.link.close()
    return outcome
  }

  async #migrate(): Promise<Outcome> {
    const { timeline, participation } = this.#o
    await timeline.during('preflight', () => this.#preflight())
    this.#isBegun = true
    const prepared = await timeline.during('prepare', () => this.#prepare())
    await timeline.during('precopy', () => this.#precopy(prepared))
    await timeline.during('quiesce', () => participation.quiesce(this.#devices))
    await this.#switchOver()
    await this.#owner.release()
    await timeline.during('release', () => this.#release())
    return 'destination'
  }

  async #preflight(): Promise<void> {
    const { facts, link, preflight, stop } = this.#o
    stop.throwIfStopped()
    const ours = await facts()
    await link.send({ kind: 'offer', version: 1, migration: randomUUID(), facts: ours })
    preflight(ours, (await stop.during(this.#inbox.expect('answered'))).facts)
    for (const side of this.#sides) await side.begin()
  }

  async #prepare(): Promise<Prepared> {
    const { link, stop } = this.#o
    stop.throwIfStopped()
    await link.send({ kind: 'prepare' })
    return await stop.during(this.#inbox.expect('prepared'))
  }

  async #precopy(prepared: Prepared): Promise<void> {
    const { dirtyLog, members, precopy, stop } = this.#o
    stop.throwIfStopped()
    await dirtyLog?.start(this.#devices)
    // All of them, also where one fails: none is led back while it is being led on.
    const begun = await Promise.allSettled(members.map(async member => await this.#begin(member)))
    for (const begin of begun) if (begin.status === 'rejected') throw begin.reason
    await precopy(prepared)
  }

  async #begin({ hasPrecopy, side }: SourceMember): Promise<void> {
    if (hasPrecopy) await side.go(savingBegins(side.before as StateName, side.device))
  }

  async #switchOver(): Promise<void> {
    const { members, stop, timeline, isSet } = this.#o
    stop.throwIfStopped()
    timeline.begin('stop-copy')
    this.#arcsBefore = this.#sides.map(({ arcs }) => arcs.length)
    this.times.stoppingAt = this.#now()
    this.times.stoppingAt = (await lead(this.#sides, 'STOP_COPY', { isSet })) ?? this.times.stoppingAt
    this.times.stoppedAt = this.#now()
    timeline.begin('load')
    const yielded = (this.#yielding = this.#yield())
    await stop.during(Promise.all([yielded, ...members.map(async member => await member.finish(yielded))]))
    timeline.end('stop-copy')
    await stop.during(Promise.all(members.map(({ outflow }) => outflow.allLoaded())))
    timeline.end('load')
    await timeline.during('complete', () => stop.during(this.#inbox.allComplete(members.length)))
    const { error } = await stop.during(this.#inbox.expect('running'))
    if (error !== undefined) this.#failure = { error }
  }

  /** While the bytes flow: the word that these devices run no more, and what the participant sends along. */
  async #yield(): Promise<void> {
    const { stop } = this.#o
    await this.#owner.yield()
    stop.throwIfStopped()
    // What fails ends the other; nobody is called for another moment before both are over.
    const said = [this.#sayYielded(), this.#sendAlong()]
    await Promise.all(said.map(work => work.catch((error: unknown) => stop.because(error))))
    stop.throwIfStopped()
  }

  /** As long as it is unsaid, the source goes back without asking: what every device announces is waited for, and weighed. */
  async #sayYielded(): Promise<void> {
    const { link, members, stop, weigh } = this.#o
    const weighed = members.map(member => member.whileAnnouncing(() => weigh(this.#standing)))
    await stop.during(Promise.all(weighed))
    stop.throwIfStopped()
    this.#hasYielded = true
    await link.send({ kind: 'yielded' })
  }

  get #standing(): Standing {
    const { stoppingAt = 0, stoppedAt = 0 } = this.times
    const announced = this.#o.members.map(
      ({ announced: one }) => one && { bytes: one.bytes, atMs: one.readAt - stoppingAt },
    )
    return { stopArcsMs: stoppedAt - stoppingAt, announced }
  }

  async #sendAlong(): Promise<void> {
    const { dirtyLog, link, members, participation, stop } = this.#o
    if (dirtyLog) await stop.during(dirtyLog.report(true))
    stop.throwIfStopped()
    const sideData = await participation.stopped(this.#devices)
    for (const [member, bytes] of sideData.entries()) {
      const giver = members[member]
      if (giver) giver.sideDataBytes = bytes.length
      await link.send({ kind: 'side-data', member, bytes })
    }
  }

  /** Their state is the destination's: one that does not stop is told of, and changes nothing. */
  async #release(): Promise<void> {
    await Promise.all(this.#sides.map(side => side.go('STOP').catch((error: unknown) => side.fail(error))))
  }

  /** The first error is the one that is told. */
  async #takeBack(error: unknown): Promise<Outcome> {
    const { link, stop, onStuck, participation } = this.#o
    // What was stopped for something throws in its turn: the first reason is told.
    stop.because(error)
    this.#failure = stop.reason
    const told = link.send({ kind: 'abort', error }).catch(() => undefined)
    // Who has not been told that these devices run no more has nothing to settle, and nobody waits for it to hear.
    if (this.#hasYielded) await told
    const settled = this.#hasYielded ? await this.#inbox.settled().catch(() => undefined) : undefined
    if (settled?.kind === 'running') return await this.#tooLate(settled.error)
    if (settled === undefined && this.#hasYielded) return 'unknown'
    // Nobody heard what it was stopped for: without this failure it would have happened.
    if (settled?.wasCommitted) this.#failure = { error: settled.error }
    // What is being written is written first, and takes no right away from a source whose word was not sent.
    await this.#yielding?.catch(() => undefined)
    await this.#owner.reclaim().catch(() => undefined)
    const hasStood = this.#hasStood
    await Promise.all(this.#sides.map(side => takeBack(side, 'source', onStuck)))
    if (hasStood && this.#sides.every(({ isAsBefore }) => isAsBefore)) this.times.resumedAt = this.#now()
    if (participation.quiesced) await participation.resumed(this.#devices).catch(() => undefined)
    return 'source'
  }

  /** A device that ran was led on towards STOP_COPY. */
  get #hasStood(): boolean {
    return this.#sides.some(
      ({ arcs, before }, index) => before !== 'STOP' && arcs.length > (this.#arcsBefore[index] ?? Infinity),
    )
  }

  /** It was committed before it could be taken back: it has happened. */
  async #tooLate(error: unknown): Promise<Outcome> {
    this.#failure = error === undefined ? undefined : { error }
    await this.#owner.release().catch(() => undefined)
    await this.#release()
    return 'destination'
  }

  async #stopLogging(): Promise<void> {
    await this.#o.dirtyLog?.stop().catch(() => undefined)
  }

  /** The destination has given up, or has gone: nothing is acknowledged any more. */
  #lost(error: unknown): void {
    this.#o.stop.because(error)
    for (const { outflow } of this.#o.members) outflow.fail(error)
  }

  #outflowOf(member: number): Outflow {
    const { outflow } = this.#o.members[member] ?? {}
    if (outflow) return outflow
    throw new VfioError('ERR_VFIO_PROTOCOL', `The destination names a member ${member} that there is not`)
  }

  get #owner(): SourceOwner {
    return this.#o.owner
  }

  get #sides(): Side[] {
    return this.#o.members.map(({ side }) => side)
  }

  get #devices(): Device[] {
    return this.#sides.map(({ device }) => device)
  }

  #now(): number {
    return this.#devices[0]?.clock.now() ?? 0
  }
}
