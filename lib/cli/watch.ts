// SPDX-License-Identifier: Apache-2.0
import type { MigrationPlan, MigrationProgress } from '../index.ts'
import { Bars } from './bars.ts'
import { messageOf } from './cause.ts'
import type { Context } from './context.ts'
import { Interrupted } from './interruption.ts'
import type { Hands } from './hands.ts'
import { Standing } from './standing.ts'

/** What a person sees of a migration while it goes on, and may ask. */
export class Watch implements Disposable {
  readonly #standing: Standing
  readonly #bars: Bars | undefined
  readonly #context: Context
  readonly #hands: Hands
  readonly #resetsLent: boolean
  readonly #onAbort = (): void => this.#sayAborted()

  private constructor(standing: Standing, bars: Bars | undefined, hands: Hands, options: WatchOptions) {
    const { context, resetsLent } = options
    this.#standing = standing
    this.#bars = bars
    this.#context = context
    this.#hands = hands
    this.#resetsLent = resetsLent
    context.whenAsked(() => standing.text)
    context.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  static async begin(hands: Hands, plan: MigrationPlan, options: WatchOptions): Promise<Watch> {
    hands.assign(false)
    const standing = new Standing(hands, plan)
    return new Watch(standing, await Bars.open(standing, options.context), hands, options)
  }

  take(progress: MigrationProgress): void {
    this.#standing.take(progress)
    this.#bars?.update({ isDecision: progress.kind === 'round' })
  }

  [Symbol.dispose](): void {
    this.#context.signal.removeEventListener('abort', this.#onAbort)
    this.#bars?.[Symbol.dispose]()
  }

  /** Lent destinations that hold a part of a state. */
  get #exceptStuck(): string {
    if (this.#resetsLent) return ''
    const stuck = this.#hands.destinations.filter(
      hand => !hand.isOpened && hand.known.output.recovery === 'reset',
    )
    const names = stuck.map(({ title }) => `'${title}'`).join(' and ')
    return names === '' ? '' : `, but ${names}, lent and left in RESUMING (--on-stuck reset would reset it)`
  }

  #sayAborted(): void {
    const { reason } = this.#context.signal as { reason: unknown }
    const what = this.#standing.isCommitted
      ? "the state is the destination's already, so that this is finished first"
      : `everything is being put back, as it was before${this.#exceptStuck}`
    const more = isTimeout(reason) ? '' : ' Once more ends at once, and leaves all as it is then.'
    this.#context.say(`vfio-migrate: ${messageOf(reason)}: ${what}.${more}`)
  }
}

interface WatchOptions {
  readonly context: Context
  /** A lent device that nothing but a reset helps is reset. */
  readonly resetsLent: boolean
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Interrupted && reason.by === 'timeout'
}
