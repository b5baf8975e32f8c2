// SPDX-License-Identifier: Apache-2.0
import { writeSync } from 'node:fs'
import type { Pump, PumpAnswer } from '#lib/backend/seam.js'
import { gate, type ScriptedSession } from './scripted_device.js'

/** One run of the copy loop of a backend, which the test answers. */
export class ScriptedRun implements Pump {
  readonly request: readonly number[]
  readonly done: Promise<PumpAnswer>
  readonly #open: (answer: PumpAnswer) => void
  isCancelled = false
  read = 0
  written = 0

  constructor(request: readonly number[]) {
    this.request = request
    const { promise, open } = gate<PumpAnswer>()
    this.done = promise
    this.#open = open
  }

  answer(answer: Partial<PumpAnswer>): void {
    const { bytes = 0, rest } = answer
    this.written = bytes
    this.read = bytes + (rest?.length ?? 0)
    this.#open({ result: 0, call: 'read', bytes, arc: 0, ...answer })
  }

  bytesRead(): number {
    return this.read
  }

  bytesWritten(): number {
    return this.written
  }

  cancel(): void {
    this.isCancelled = true
  }
}

/** Gives sessions a copy loop; answers the runs as they come. */
export class ScriptedRuns {
  readonly all: ScriptedRun[] = []
  #onRun: (() => void)[] = []
  #given = 0

  readonly give = (session: ScriptedSession): void => {
    const begin = (...request: number[]): Pump => {
      const run = new ScriptedRun(request)
      this.all.push(run)
      for (const resolve of this.#onRun.splice(0)) resolve()
      return run
    }
    const putTo = (fd: number, data: Uint8Array): Pump => {
      const run = new ScriptedRun([fd])
      run.answer({ result: data.length, call: 'write', bytes: writeSync(fd, data) })
      return run
    }
    Object.assign(session, { pumpTo: begin, pumpFrom: begin, putTo })
  }

  async next(): Promise<ScriptedRun> {
    for (;;) {
      const run = this.all[this.#given]
      if (run) {
        this.#given++
        return run
      }
      await new Promise<void>(resolve => this.#onRun.push(resolve))
    }
  }
}

/** Lets everything happen that can. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise<void>(resolve => setImmediate(resolve))
}
