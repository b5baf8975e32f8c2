// SPDX-License-Identifier: Apache-2.0
import type { ReadAnswer, SessionCalls } from '#lib/backend/seam.js'
import { errno } from '#lib/kernel/errno.js'
import type { Fault } from '#lib/mock/index.js'
import type { Plan } from './plan.ts'

/** A data_fd whose calls fail and whose bytes change as is planned; without what goes past JavaScript. */
export class TroubledSession implements SessionCalls {
  readonly #session: SessionCalls
  readonly #plan: Plan
  readonly #stream: Fault | undefined
  #position = 0
  #isDead = false

  constructor(session: SessionCalls, plan: Plan) {
    this.#session = session
    this.#plan = plan
    this.#stream = plan.take('STREAM')
  }

  async read(maxBytes: number, waitMs: number): Promise<ReadAnswer> {
    for (let wait = waitMs; ; wait = 0) {
      const answer = await this.#session.read(maxBytes, wait)
      if (answer.result <= 0) return answer
      const data = this.#spoil(answer.data)
      if (data.length === 0) continue
      const failed = this.#plan.errnoAt('READ')
      if (failed < 0) return { ...answer, result: failed, data: data.subarray(0, 0) }
      return { ...answer, result: data.length, data }
    }
  }

  async write(data: Uint8Array): Promise<number> {
    if (this.#isDead) return -errno.ENODEV
    const failed = this.#plan.errnoAt('WRITE')
    this.#isDead = failed < 0
    return this.#isDead ? failed : await this.#session.write(data)
  }

  async precopyInfo(): ReturnType<SessionCalls['precopyInfo']> {
    const answer = await this.#session.precopyInfo()
    const failed = answer.result < 0 ? 0 : this.#plan.errnoAt('PRECOPY_INFO')
    return failed < 0 ? { result: failed, initialBytes: 0, dirtyBytes: 0, flags: 0 } : answer
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  /** The bytes that are left of these, one of them perhaps another. */
  #spoil(data: Uint8Array): Uint8Array {
    const { cut = Infinity, flip = NaN } = this.#stream ?? {}
    const from = this.#position
    this.#position += data.length
    const at = flip - from
    if (at >= 0 && at < data.length) data[at] = (data[at] ?? 0) ^ 0xff
    return data.subarray(0, Math.max(0, cut - from))
  }
}
