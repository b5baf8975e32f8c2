// SPDX-License-Identifier: Apache-2.0
import { errno } from '../kernel/errno.ts'

interface Job {
  run(): Promise<void>
  refuse(answer: number): void
}

/** Runs one piece of work after another, as a thread of the addon does. */
export class Lane {
  #queue: Job[] = []
  #isBusy = false
  #isStopped = false
  #onEnd: (() => void)[] = []

  /**
   * Runs `work` when its turn comes, at once where nothing runs. Where it is not to run any more, resolves with what
   * `refused` makes of -ECANCELED, or of `late` when it was stopped before.
   */
  async post<T>(work: () => Promise<T>, refused: (answer: number) => T, late: number): Promise<T> {
    if (this.#isStopped) return refused(late)
    return await new Promise<T>((resolve, reject) => {
      this.#queue.push({
        run: () => work().then(resolve, reject),
        refuse: answer => resolve(refused(answer)),
      })
      void this.#serve()
    })
  }

  /** What waits is answered -ECANCELED here and now; what runs comes to its own end. */
  stop(): void {
    this.#isStopped = true
    for (const job of this.#queue.splice(0)) job.refuse(-errno.ECANCELED)
  }

  /** Resolves when it was stopped and nothing runs any more. */
  async ended(): Promise<void> {
    if (this.#isBusy) await new Promise<void>(resolve => this.#onEnd.push(resolve))
  }

  async #serve(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) await job.run()
    this.#isBusy = false
    for (const then of this.#onEnd.splice(0)) then()
  }
}
