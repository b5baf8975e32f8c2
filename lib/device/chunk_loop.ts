// SPDX-License-Identifier: Apache-2.0

/** What a loop over chunks is made of. `End` says why there is no more, and is never `'more'`. */
export interface ChunkSteps<End> {
  /** Before the first chunk. Where it throws nothing has begun. */
  begin(): void
  /** What is there already. */
  take(): Buffer | undefined
  /** The loop has gone on behind that chunk. */
  pass(chunk: Buffer): void
  /**
   * Where nothing is there: `'more'` where something may be taken now, which changes what this answers; undefined as long as
   * nothing is known.
   */
  look(): 'more' | End | undefined
  /** Resolves when there is something to look at. */
  changed(): Promise<void>
  /** However it ends, if it has begun. */
  end(): void
}

/**
 * A loop over chunks, which to its user is an async generator: steps are made one at a time, in the order in which they were
 * asked for, and nothing happens before the first. What is there already is handed over at once; a generator would go
 * through three turns of the microtask queue for each chunk.
 */
export class ChunkLoop<End> implements AsyncGenerator<Buffer, End, void> {
  readonly #steps: ChunkSteps<End>
  #stage: 'new' | 'begun' | 'over' = 'new'
  /** In the hands of the loop's body. */
  #chunk: Buffer | undefined
  /** The last of the steps that are under way. */
  #underWay: Promise<unknown> | undefined

  constructor(steps: ChunkSteps<End>) {
    this.#steps = steps
  }

  next(): Promise<IteratorResult<Buffer, End>> {
    if (this.#underWay !== undefined) return this.#behind(() => this.#step())
    try {
      const chunk = this.#take()
      return chunk === undefined ? this.#follow(this.#wait()) : Promise.resolve({ done: false, value: chunk })
    } catch (error) {
      return this.#follow(failing(error))
    }
  }

  return(value: End | PromiseLike<End>): Promise<IteratorResult<Buffer, End>> {
    return this.#behind(async () => {
      try {
        return { done: true, value: await value }
      } finally {
        this.#end()
      }
    })
  }

  throw(reason: unknown): Promise<IteratorResult<Buffer, End>> {
    return this.#behind(() => {
      this.#end()
      return failing(reason)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return(undefined as End)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #step(): Promise<IteratorResult<Buffer, End>> {
    const chunk = this.#take()
    return chunk === undefined ? await this.#wait() : { done: false, value: chunk }
  }

  /** Nothing is there. */
  async #wait(): Promise<IteratorResult<Buffer, End>> {
    while (this.#stage === 'begun') {
      const next = this.#look()
      if (next === undefined) {
        await this.#steps.changed()
      } else if (next === 'more') {
        const chunk = this.#take()
        if (chunk !== undefined) return { done: false, value: chunk }
      } else {
        this.#end()
        return { done: true, value: next }
      }
    }
    return { done: true, value: undefined as End }
  }

  /** Undefined where nothing is there, or the loop is over. */
  #take(): Buffer | undefined {
    if (this.#stage === 'new') this.#begin()
    if (this.#stage === 'over') return undefined
    try {
      this.#pass()
      this.#chunk = this.#steps.take()
      return this.#chunk
    } catch (error) {
      this.#end()
      throw error
    }
  }

  #begin(): void {
    this.#stage = 'over'
    this.#steps.begin()
    this.#stage = 'begun'
  }

  #pass(): void {
    const chunk = this.#chunk
    this.#chunk = undefined
    if (chunk !== undefined) this.#steps.pass(chunk)
  }

  #look(): 'more' | End | undefined {
    try {
      return this.#steps.look()
    } catch (error) {
      this.#end()
      throw error
    }
  }

  #end(): void {
    const hasBegun = this.#stage === 'begun'
    this.#stage = 'over'
    this.#chunk = undefined
    if (hasBegun) this.#steps.end()
  }

  /** Behind those that are under way, however they end. */
  #behind<T>(step: () => Promise<T>): Promise<T> {
    return this.#follow(this.#underWay === undefined ? step() : this.#underWay.then(step, step))
  }

  /** Until whoever asked for it learns how it ended, and no longer. */
  #follow<T>(turn: Promise<T>): Promise<T> {
    this.#underWay = turn
    const clear = (): void => {
      if (this.#underWay === turn) this.#underWay = undefined
    }
    turn.then(clear, clear)
    return turn
  }
}

async function failing(reason: unknown): Promise<never> {
  await Promise.resolve()
  throw reason
}
