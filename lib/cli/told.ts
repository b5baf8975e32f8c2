// SPDX-License-Identifier: Apache-2.0
import { moments, type Moment, type Participant } from '../index.ts'
import type { InHand } from './context.ts'

/** A participant in hand: what it was told so far. */
export class Told implements InHand {
  readonly participant: Participant
  readonly known = undefined
  readonly #answered: Moment[] = []
  #asked: Moment | undefined

  /** It is in `inHand` from the first moment on. */
  constructor(participant: Participant, inHand: Set<InHand> | undefined) {
    const calls = moments
      .filter(moment => participant[moment] !== undefined)
      .map(moment => {
        const call = async (context: never): Promise<unknown> => {
          inHand?.add(this)
          return await this.#tell(moment, () => participant[moment]?.(context))
        }
        return [moment, call]
      })
    this.participant = Object.fromEntries(calls) as Participant
  }

  get where(): string {
    const asked = this.#asked === undefined ? [] : [`${this.#asked} is not answered`]
    return `the participant: ${[...this.#answered.map(moment => `${moment} told`), ...asked].join(', ')}`
  }

  get left(): string {
    if (this.isAsBefore) return this.where
    const owed = this.#answered.includes('restored') ? 'running or resumed' : 'resumed'
    const not = this.#asked === 'resumed' || this.#asked === 'running' ? '' : `, ${owed} not told`
    return `${this.where}${not}: see to it, whoever it is stands still`
  }

  /** It was told to stand still, and not to go on. */
  get isAsBefore(): boolean {
    return this.#answered.includes('resumed') || this.#answered.includes('running')
  }

  async #tell(moment: Moment, call: () => unknown): Promise<unknown> {
    this.#asked = moment
    const answer = await call()
    // Of a moment that was given up, the answer says nothing of the one that came after it.
    if (this.#asked === moment) this.#asked = undefined
    this.#answered.push(moment)
    return answer
  }
}
