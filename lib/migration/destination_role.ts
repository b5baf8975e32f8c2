// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import type { DestinationOwner } from '../ownership/destination.ts'
import {
  maxDataBytes,
  type Data,
  type DestinationMessage,
  type End,
  type SideData,
  type SourceMessage,
} from '../wire/message.ts'
import { Condition } from './condition.ts'
import { Inflow } from './inflow.ts'
import { maxSideDataBytes } from './participant.ts'
import type { Participation } from './participation.ts'
import type { Timeline } from './phases.ts'
import { takeBack, type OnStuck } from './recovery.ts'
import { lead, type Side } from './side.ts'

export type DestinationLink = Link<DestinationMessage, SourceMessage>

export interface DestinationRoleOptions {
  readonly sides: readonly Side[]
  readonly link: DestinationLink
  readonly owner: DestinationOwner
  readonly participation: Participation
  readonly timeline: Timeline
  readonly onStuck: OnStuck | undefined
  /** Several devices that may talk to each other: none goes beyond its P2P state before all are there. */
  readonly isSet: boolean
  /** What this side tells of itself. */
  readonly facts: () => Promise<unknown>
  /** Throws what speaks against RESUMING, in which a device gives up what it held. The devices are in STOP. */
  readonly beforeResuming: () => Promise<void>
  /** Throws what speaks against the commit. */
  readonly beforeCommit: () => void
}

/** The side that takes: loads what comes, proves that it is whole, and only then makes it its own. */
export class DestinationRole {
  readonly #o: DestinationRoleOptions
  readonly #inflows: Inflow[] = []
  readonly #sideData: Uint8Array[]
  readonly #changed = new Condition()
  /** Members of which everything has come, which is after `yielded`. */
  readonly #ended = new Set<number>()
  #complete = 0
  #hasOffered = false
  #hasYielded = false
  /** Its state will never run here. */
  #isOver = false
  /** It runs here, unless the devices themselves refuse. */
  #isCommitted = false
  /** They have. */
  #hasRefused = false
  /** What is under way beside the messages; none rejects. */
  readonly #work: Promise<void>[] = []

  constructor(options: DestinationRoleOptions) {
    this.#o = options
    this.#sideData = options.sides.map(() => new Uint8Array())
  }

  /** Until the source closes the link, and all that was begun has ended. Never rejects: failures go to the source. */
  async run(): Promise<void> {
    this.#begin(this.#commitWhenComplete())
    try {
      for (;;) await this.#take(await this.#o.link.receive())
    } catch {
      // The source has gone. It asked for nothing back: who has all goes on, as that may be all that is left.
      if (this.#ended.size < this.#o.sides.length) await this.#giveUp(undefined)
    }
    // What ends may begin something: clearing away, after a failure.
    for (let begun = -1; begun < this.#work.length;) {
      begun = this.#work.length
      await Promise.all(this.#work)
    }
  }

  async #take(message: SourceMessage): Promise<void> {
    if (this.#isOver) return
    try {
      const why = this.#untimely(message)
      if (why !== undefined) throw new VfioError('ERR_VFIO_PROTOCOL', `The source ${why}`)
      if (message.kind === 'offer') await this.#answer()
      else if (message.kind === 'prepare') await this.#prepare()
      else if (message.kind === 'data') this.#inflows[message.member]?.push(message.bytes, message.release)
      else if (message.kind === 'side-data') this.#sideData[message.member] = message.bytes
      else if (message.kind === 'end') this.#begin(this.#finish(message))
      else if (message.kind === 'yielded') this.#yielded()
      else if (message.kind === 'abort') await this.#giveUp(undefined)
    } catch (error) {
      await this.#giveUp(error)
    }
  }

  /** What must not come, or not now: memory is bounded, and nothing is loaded twice, whatever the source sends. */
  #untimely(message: SourceMessage): string | undefined {
    const [isPrepared, hasOffered] = [this.#inflows.length > 0, this.#hasOffered]
    if (message.kind === 'offer') {
      this.#hasOffered = true
      return hasOffered ? 'offers twice' : undefined
    }
    if (message.kind === 'prepare') return isPrepared || !hasOffered ? 'prepares before its time' : undefined
    if (message.kind === 'abort') return undefined
    if (!isPrepared) return `sends '${message.kind}' before anything is prepared`
    if (message.kind === 'yielded') return this.#hasYielded ? 'yields twice' : undefined
    if (!('member' in message)) return `sends '${message.kind}' on a link that is not there to settle`
    return this.#untimelyOf(message)
  }

  #untimelyOf(message: Data | SideData | End): string | undefined {
    const { kind, member } = message
    if (this.#inflows[member] === undefined) return `names a member ${member} that there is not`
    if (this.#ended.has(member)) return `sends '${kind}' of member ${member} behind its end`
    if (kind === 'end') return this.#hasYielded ? undefined : `ends member ${member} before it has yielded`
    const [{ length }, most] = [message.bytes, kind === 'data' ? maxDataBytes : maxSideDataBytes]
    if (length > most) return `sends ${length} bytes as '${kind}', of which there are at most ${most}`
    return kind === 'data' && length === 0 ? `sends no bytes as 'data'` : undefined
  }

  async #answer(): Promise<void> {
    const { facts, link } = this.#o
    await link.send({ kind: 'answered', facts: await facts() })
  }

  async #prepare(): Promise<void> {
    const { sides, owner, link, beforeResuming } = this.#o
    for (const side of sides) await side.begin()
    await owner.accept()
    await lead(sides, 'STOP')
    await beforeResuming()
    await lead(sides, 'RESUMING')
    sides.forEach(({ device }, member) => {
      const onLoaded = async (bytes: number): Promise<void> =>
        await this.#tell({ kind: 'loaded', member, bytes })
      this.#inflows.push(
        new Inflow(device, { onLoaded, onFailure: error => this.#begin(this.#giveUp(error)) }),
      )
    })
    await link.send({ kind: 'prepared', arcs: sides.map(({ arcs }) => arcs) })
  }

  #yielded(): void {
    this.#hasYielded = true
    this.#changed.changed()
  }

  /** The device has everything, and says so by leaving RESUMING. */
  async #finish({ member, bytes, digest }: End): Promise<void> {
    this.#ended.add(member)
    const [side, inflow] = [this.#o.sides[member], this.#inflows[member]]
    if (side === undefined || inflow === undefined) return
    await inflow.end({ bytes, digest })
    if (this.#isOver) return
    await side.go('STOP')
    await this.#tell({ kind: 'complete', member, bytes: inflow.bytes, digest: inflow.digest })
    this.#complete++
    this.#changed.changed()
  }

  async #commitWhenComplete(): Promise<void> {
    const { sides, participation, timeline, beforeCommit } = this.#o
    await this.#changed.until(() => this.#isOver || this.#isComplete)
    if (this.#isOver) return
    await timeline.during('commit', async () => {
      await participation.restored(
        sides.map(({ device }) => device),
        this.#sideData,
      )
      beforeCommit()
      if (this.#isOver) return
      await this.#commit()
    })
    if (this.#isCommitted) await timeline.during('run', () => this.#runDevices())
  }

  /** From the call on nobody takes the state back; where it cannot be written down, no device has left STOP. */
  async #commit(): Promise<void> {
    this.#isCommitted = true
    try {
      await this.#o.owner.intend()
    } catch (error) {
      this.#isCommitted = false
      throw error
    }
  }

  /** From here on the state is this side's, unless no device has left STOP. */
  async #runDevices(): Promise<void> {
    const { sides, isSet, participation } = this.#o
    try {
      await lead(sides, 'RUNNING', { isSet })
    } catch (error) {
      if (!sides.some(({ mayHaveRun }) => mayHaveRun)) {
        this.#isCommitted = false
        this.#hasRefused = true
        throw error
      }
      for (const side of sides) side.fail(error)
      await this.#tellRunning(error)
      return
    }
    await this.#tellRunning()
    await participation.running(sides.map(({ device }) => device)).catch(() => undefined)
  }

  /** They have left STOP, whether or not that can be written down, and told. */
  async #tellRunning(error?: unknown): Promise<void> {
    const { sides, owner } = this.#o
    await owner.ran().catch(() => undefined)
    const arcs = sides.map(side => side.arcs)
    await this.#tell({ kind: 'running', arcs, ...(error !== undefined && { error }) })
  }

  /** That the link has ended is seen by who receives. */
  async #tell(message: DestinationMessage): Promise<void> {
    await this.#o.link.send(message).catch(() => undefined)
  }

  /** The state never runs here, and the source is told so first: it need not wait for what is cleared away. */
  async #giveUp(error: unknown): Promise<void> {
    const { sides, owner, link, onStuck } = this.#o
    // What was committed runs, or says itself that it cannot.
    if (this.#isOver || this.#isCommitted) return
    this.#isOver = true
    for (const inflow of this.#inflows) inflow.stop()
    this.#changed.changed()
    try {
      await owner.abdicate()
      await link.send({ kind: 'abdicated', error, wasCommitted: this.#hasRefused })
    } catch (unwritten) {
      // Nobody can say whose the state is: the source must not take it back.
      link.close(unwritten as Error)
    }
    await Promise.all(sides.map(side => takeBack(side, 'destination', onStuck)))
  }

  /** Every device holds its whole state, which the source has let go of. */
  get #isComplete(): boolean {
    return this.#hasYielded && this.#complete === this.#o.sides.length
  }

  /** What fails beside the messages ends the migration here. */
  #begin(work: Promise<void>): void {
    this.#work.push(work.catch(async (error: unknown) => await this.#giveUp(error)))
  }
}
