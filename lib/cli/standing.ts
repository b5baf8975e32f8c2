// SPDX-License-Identifier: Apache-2.0
import type { Decision, Forecast, MigrationPlan, MigrationProgress, Phase } from '../index.ts'
import type { Hands } from './hands.ts'
import { bytesText, msText } from './quantity.ts'

/** How far one device is. */
export interface MemberStanding {
  readonly title: string
  readonly bytes: number
  /** The size of its state, as far as the driver tells it. */
  readonly stateBytes: number | undefined
  readonly bytesPerSecond: number | undefined
}

interface Member {
  readonly title: string
  readonly stateBytes: number | undefined
  bytes: number
  /** Where the rate counts from: the last phase that has moved bytes. */
  since: { readonly phase: string; readonly at: number; readonly bytes: number } | undefined
  bytesPerSecond: number | undefined
}

const decisions: Readonly<Record<Decision, string>> = {
  continue: 'not yet',
  switch: 'enough',
  abort: 'given up',
}

/** Where a migration stands, by what it has told. */
export class Standing {
  readonly #hands: Hands
  readonly #members: readonly Member[]
  #phase: Phase = 'preflight'
  #forecast: Forecast | undefined

  constructor(hands: Hands, plan: MigrationPlan) {
    this.#hands = hands
    this.#members = hands.sources.map(({ title }, index) => ({
      title: `${title} → ${hands.destinations[index]?.title}`,
      stateBytes: plan.pairs[index]?.stateBytes,
      bytes: 0,
      since: undefined,
      bytesPerSecond: undefined,
    }))
  }

  get members(): readonly MemberStanding[] {
    return this.#members
  }

  /** On the clock that the devices live by, in ms. */
  get now(): number {
    return this.#hands.from[0]?.clock.now() ?? 0
  }

  /** Nothing can be taken back any more: the destination is led to RUNNING, or there already. */
  get isCommitted(): boolean {
    return this.#phase === 'run' || this.#phase === 'release'
  }

  take(progress: MigrationProgress): void {
    this.#forecast = progress.forecast
    switch (progress.kind) {
      case 'phase':
        this.#phase = progress.phase
        if (progress.phase !== 'preflight') this.#hands.drive()
        if (this.isCommitted) this.#hands.assign(true)
        break
      case 'arcs':
        this.#hear(progress)
        break
      case 'bytes':
        this.#count(progress)
        break
      case 'round':
      case 'moment':
    }
  }

  /** Where all of it is, in words. */
  get text(): string {
    const bytes = this.#members.reduce((sum, member) => sum + member.bytes, 0)
    return [this.phaseText, `${bytesText(bytes)} moved`, this.foreseenText].filter(Boolean).join('; ')
  }

  get phaseText(): string {
    const round = this.#forecast?.round ?? 0
    return this.#phase === 'precopy' ? `precopy, round ${round + 1}` : this.#phase
  }

  /** What downtime is foreseen, and why it is not switched yet; `''` before that is known. */
  get foreseenText(): string {
    if (this.#forecast === undefined) return ''
    const { predicted, decision, why } = this.#forecast
    const foreseen = `foreseen downtime ${msText(predicted.downtimeMs)}`
    return this.#phase === 'precopy' ? `${foreseen}, ${decisions[decision]}: ${why}` : foreseen
  }

  #hear({ side, device, arcs }: MigrationProgress & { kind: 'arcs' }): void {
    const hands = side === 'source' ? this.#hands.sources : this.#hands.destinations
    hands.find(hand => hand.device.name === device)?.hear(arcs)
  }

  #count({ member: index, phase, bytes }: MigrationProgress & { kind: 'bytes' }): void {
    const member = this.#members[index]
    if (member === undefined) return
    const { now } = this
    if (member.since?.phase !== phase) member.since = { phase, at: now, bytes: member.bytes }
    const ms = now - member.since.at
    if (ms > 0) member.bytesPerSecond = ((bytes - member.since.bytes) / ms) * 1000
    member.bytes = bytes
  }
}
