// SPDX-License-Identifier: Apache-2.0
import { stayAwake } from './clock.ts'
import type { Core } from './core.ts'
import type { MockOops } from './oops.ts'

/**
 * Where the calls of one holder go in and their answers come out. An answer comes in a later turn of the event loop,
 * together with the others of that turn, as the addon's do: a loop of calls starves nobody.
 */
export class Boundary {
  readonly #core: Core
  #answered: (() => void)[] = []

  constructor(core: Core) {
    this.#core = core
  }

  /**
   * `start` begins the call at once, and the process lives until it is answered, as with one in the kernel. After a crash
   * every call rejects, those that wait included.
   */
  async call<T>(
    call: string,
    args: readonly unknown[],
    start: () => Promise<T>,
    resultOf: (answer: T) => number,
  ): Promise<T> {
    const { clock, history } = this.#core
    const letGo = stayAwake()
    clock.touch()
    history.record({ kind: 'call', call, args })
    try {
      const answer = await this.#unlessCrashed(start)
      await this.#turn()
      history.record({ kind: 'answer', call, result: resultOf(answer) })
      return answer
    } finally {
      clock.touch()
      letGo()
    }
  }

  async #unlessCrashed<T>(start: () => Promise<T>): Promise<T> {
    if (this.#core.crash) throw this.#core.crash
    let forget: () => void = () => undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        forget = this.#core.whenCrashed((oops: MockOops) => reject(oops))
        start().then(resolve, reject)
      })
    } finally {
      forget()
    }
  }

  async #turn(): Promise<void> {
    if (this.#answered.length === 0) setImmediate(() => this.#deliver())
    await new Promise<void>(resolve => this.#answered.push(resolve))
  }

  #deliver(): void {
    for (const resolve of this.#answered.splice(0)) resolve()
  }
}
