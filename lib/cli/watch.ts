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
  readonly #onAbort = (): void => this.#sayAborted()

  private constructor(standing: Standing, bars: Bars | undefined, context: Context) {
    this.#standing = standing
    this.#bars = bars
    this.#context = context
    context.whenAsked(() => standing.text)
    context.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  static async begin(hands: Hands, plan: MigrationPlan, context: Context): Promise<Watch> {
    hands.assign(false)
    const standing = new Standing(hands, plan)
    return new Watch(standing, await Bars.open(standing, context), context)
  }

  take(progress: MigrationProgress): void {
    this.#standing.take(progress)
    this.#bars?.update({ isDecision: progress.kind === 'round' })
  }

  [Symbol.dispose](): void {
    this.#context.signal.removeEventListener('abort', this.#onAbort)
    this.#bars?.[Symbol.dispose]()
  }

  #sayAborted(): void {
    const { reason } = this.#context.signal as { reason: unknown }
    const what = this.#standing.isCommitted
      ? "the state is the destination's already, so that this is finished first"
      : 'everything is put back, as it was before'
    const more = isTimeout(reason) ? '' : ' Once more ends at once, and leaves all as it is then.'
    this.#context.say(`vfio-migrate: ${messageOf(reason)}: ${what}.${more}`)
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Interrupted && reason.by === 'timeout'
}
