// SPDX-License-Identifier: Apache-2.0
// The two roles of a migration with a link that breaks and journals that fail: what one process alone does not have.
import { inProcessLink } from '#lib/link/in_process.js'
import type { Link } from '#lib/link/link.js'
import { DestinationRole } from '#lib/migration/destination_role.js'
import { Outflow } from '#lib/migration/outflow.js'
import { Participation } from '#lib/migration/participation.js'
import { Timeline } from '#lib/migration/phases.js'
import type { MigrationReport } from '#lib/migration/report.js'
import { Side } from '#lib/migration/side.js'
import { SourceMember } from '#lib/migration/source_member.js'
import { SourceRole, type SwitchoverTimes } from '#lib/migration/source_role.js'
import { Stop } from '#lib/migration/stop.js'
import { Throttle } from '#lib/migration/throttle.js'
import { destinationOwner } from '#lib/ownership/destination.js'
import { MemoryJournal, type Fact, type Journal } from '#lib/ownership/journal.js'
import { sourceOwner } from '#lib/ownership/source.js'
import type { DestinationMessage, Message, SourceMessage } from '#lib/wire/message.js'
import { VirtualClock } from 'vfio-migrate/mock'
import type { Scene, SideName, Struck } from './case.js'
import { actor, beforeOf, type Actor, type Observed } from './stage.js'

/** The link ends at the message of this number, counted over both directions from 0. */
export interface Break {
  readonly at: number
  /** The message still comes. */
  readonly comes: boolean
}

/** A journal that refuses a fact: once, or that and all that follow; nobody knows whether it is there. */
export interface Refusal {
  readonly side: SideName
  readonly fact: Fact
  readonly isThere: boolean
  readonly lasts: boolean
}

export interface Trial {
  readonly scene: Scene
  readonly faults?: readonly Struck[]
  readonly link?: Break
  readonly journal?: Refusal
  /** The last byte of the `data` of this number, from 0, is another one when it comes. */
  readonly spoils?: number
  /** As the link tells. */
  readonly roundTripMs?: number
}

/** Also what was said, and what each side has written down. */
export interface Spoken extends Observed {
  readonly sent: readonly Message['kind'][]
  readonly came: readonly Message['kind'][]
  readonly facts: Readonly<Record<SideName, readonly Fact[]>>
  readonly isBroken: boolean
  readonly times: SwitchoverTimes
}

export async function speak(trial: Trial): Promise<Spoken> {
  return await new Conversation(trial).run()
}

class FailingJournal implements Journal {
  readonly #journal = new MemoryJournal()
  readonly #refusal: Refusal | undefined
  hasRefused = false

  constructor(refusal: Refusal | undefined) {
    this.#refusal = refusal
  }

  async append(fact: Fact): Promise<void> {
    const { isThere = false, lasts = false, fact: refused } = this.#refusal ?? {}
    const isRefused = this.hasRefused ? lasts : fact === refused
    if (!isRefused || isThere) await this.#journal.append(fact)
    if (!isRefused) return
    this.hasRefused = true
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }

  async read(): Promise<readonly Fact[]> {
    return await this.#journal.read()
  }
}

class Conversation {
  readonly #trial: Trial
  readonly #clock = new VirtualClock()
  readonly #sent: Message['kind'][] = []
  readonly #came: Message['kind'][] = []
  readonly #actors: Actor[] = []
  #isBroken = false
  #data = 0
  #isSpoilt = false

  constructor(trial: Trial) {
    this.#trial = trial
  }

  async run(): Promise<Spoken> {
    const { scene, faults = [], journal } = this.#trial
    for (const side of ['source', 'destination'] as const) {
      for (let member = 0; member < scene.members; member++)
        this.#actors.push(await this.#begun(side, member))
    }
    for (const { side, member, fault } of faults)
      this.#actors.find(({ mock }) => mock.name === `${side}-${member}`)?.mock.inject(fault)
    const [ours, theirs] = inProcessLink<SourceMessage, DestinationMessage>()
    const journals = {
      source: new FailingJournal(journal?.side === 'source' ? journal : undefined),
      destination: new FailingJournal(journal?.side === 'destination' ? journal : undefined),
    }
    const source = await this.#source(this.#breakable(ours), journals.source)
    const destination = await this.#destination(this.#breakable(theirs), journals.destination)
    const [outcome] = await Promise.all([source.role.run(), destination.role.run()])
    const devices = await Promise.all(
      source.sides.map(async (side, index) => ({
        source: await side.report(),
        destination: await destination.sides[index]?.report(),
      })),
    )
    return {
      actors: this.#actors,
      report: { outcome, devices } as unknown as MigrationReport,
      error: source.role.failure?.error,
      cause: source.role.failure?.error,
      events: [],
      moments: [],
      deedIn: undefined,
      movedTo: undefined,
      deedAt: [],
      deedOver: [],
      overAt: [],
      isInVain: false,
      digests: [],
      wasHit:
        (this.#isBroken || this.#trial.link === undefined) &&
        (this.#isSpoilt || this.#trial.spoils === undefined) &&
        (journal === undefined || journals[journal.side].hasRefused) &&
        this.#actors.every(({ mock }) => mock.unusedFaults().length === 0),
      sent: this.#sent,
      came: this.#came,
      facts: { source: await journals.source.read(), destination: await journals.destination.read() },
      isBroken: this.#isBroken,
      times: source.role.times,
    }
  }

  async #begun(side: SideName, member: number): Promise<Actor> {
    const one = await actor(this.#clock, this.#trial.scene, side, member)
    return { ...one, before: beforeOf(one.mock) }
  }

  #spoil(bytes: Uint8Array): void {
    this.#isSpoilt = true
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0xff
  }

  /** Counts what is said, and ends where the trial wants it. */
  #breakable<S extends Message, R extends Message>(link: Link<S, R>): Link<S, R> {
    return {
      roundTripMs: this.#trial.roundTripMs ?? link.roundTripMs,
      close: why => {
        link.close(why)
      },
      receive: async () => {
        const message = await link.receive()
        this.#came.push(message.kind)
        if (message.kind === 'data' && this.#data++ === this.#trial.spoils) this.#spoil(message.bytes)
        return message
      },
      send: async message => {
        const { at, comes } = this.#trial.link ?? { at: Infinity, comes: true }
        const isLast = this.#sent.push(message.kind) === at + 1
        if (isLast) this.#isBroken = true
        if (isLast && !comes) link.close()
        const sending = link.send(message)
        if (isLast && comes) link.close()
        await sending
      },
    }
  }

  #parts(side: SideName): { sides: Side[]; participation: Participation; timeline: Timeline } {
    const devices = this.#actors.filter(one => one.side === side)
    return {
      sides: devices.map(({ device }) => new Side(device, () => undefined)),
      participation: new Participation(undefined, { clock: this.#clock }),
      timeline: new Timeline(
        () => this.#clock.now(),
        () => undefined,
      ),
    }
  }

  async #source(
    link: Link<SourceMessage, DestinationMessage>,
    journal: Journal,
  ): Promise<{ role: SourceRole; sides: readonly Side[] }> {
    const { sides, ...parts } = this.#parts('source')
    const stop = new Stop()
    const throttle = new Throttle(this.#clock, undefined)
    const members = sides.map((side, member) => {
      const outflow = new Outflow(member, side.device, { link, throttle, onLoaded: () => undefined })
      return new SourceMember(side, outflow, { wantsPrecopy: this.#trial.scene.precopy !== false, stop })
    })
    const role = new SourceRole({
      ...parts,
      ...{ members, link, stop, owner: await sourceOwner(journal) },
      dirtyLog: undefined,
      onStuck: this.#trial.scene.onStuck,
      isSet: members.length > 1,
      facts: () => Promise.resolve(undefined),
      preflight: () => undefined,
      weigh: () => undefined,
      precopy: async () => {
        for (let round = 1; round <= 2; round++) await Promise.all(members.map(member => member.round()))
      },
    })
    return { role, sides }
  }

  async #destination(
    link: Link<DestinationMessage, SourceMessage>,
    journal: Journal,
  ): Promise<{ role: DestinationRole; sides: readonly Side[] }> {
    const { sides, ...parts } = this.#parts('destination')
    const role = new DestinationRole({
      ...parts,
      ...{ sides, link, owner: await destinationOwner(journal) },
      onStuck: this.#trial.scene.onStuck,
      isSet: sides.length > 1,
      facts: () => Promise.resolve(undefined),
      beforeResuming: () => Promise.resolve(),
      beforeCommit: () => undefined,
    })
    return { role, sides }
  }
}
