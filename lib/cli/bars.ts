// SPDX-License-Identifier: Apache-2.0
import type { MultiBar, SingleBar } from 'cli-progress'
import { isTerminal, type Context } from './context.ts'
import { bytesText } from './quantity.ts'
import type { MemberStanding, Standing } from './standing.ts'

/** Bytes are drawn at most every so many ms, by the devices' clock. */
const leastMs = 100

/** A line for each device, and one for what is foreseen of all, at the end of a terminal while a migration goes on. */
export class Bars implements Disposable {
  readonly #standing: Standing
  readonly #context: Context
  readonly #multi: MultiBar
  readonly #bars: readonly SingleBar[]
  /** It is decided for all of them at once. */
  readonly #foreseen: SingleBar
  #drawnAt: number

  private constructor(standing: Standing, context: Context, multi: MultiBar) {
    this.#standing = standing
    this.#context = context
    this.#multi = multi
    this.#bars = standing.members.map(({ stateBytes }) => multi.create(stateBytes ?? 0, 0, {}))
    this.#foreseen = multi.create(0, 0, {}, { format: '{words}' })
    this.#drawnAt = standing.now
    context.sayBy(line => {
      multi.log(`${line}\n`)
      this.#draw()
    })
    this.#draw()
  }

  /** None where nobody looks, and none with --json. */
  static async open(standing: Standing, context: Context): Promise<Bars | undefined> {
    const { stderr } = context.io
    if (context.json || !isTerminal(stderr)) return undefined
    const { default: progress } = await import('cli-progress')
    const multi = new progress.MultiBar({
      stream: stderr,
      format: '{title} [{bar}] {words}',
      barsize: 12,
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      emptyOnZero: true,
      // It would have to be switched on again by a command that may die.
      linewrap: true,
      clearOnComplete: true,
      // What is said above them moves them down.
      forceRedraw: true,
    })
    return new Bars(standing, context, multi)
  }

  /** Something has happened: drawn soon enough, or at once where it is a decision. */
  update({ isDecision = false }: { isDecision?: boolean } = {}): void {
    if (isDecision || this.#standing.now - this.#drawnAt >= leastMs) this.#draw()
  }

  [Symbol.dispose](): void {
    this.#context.sayBy()
    this.#multi.stop()
  }

  #draw(): void {
    this.#drawnAt = this.#standing.now
    this.#standing.members.forEach((member, index) => {
      const { title, bytes, stateBytes = 0 } = member
      this.#bars[index]?.update(Math.min(bytes, stateBytes), { title, words: this.#words(member) })
    })
    this.#foreseen.update({ words: this.#standing.foreseenText })
    this.#multi.update()
    stopTimer(this.#multi)
  }

  #words({ bytes, bytesPerSecond }: MemberStanding): string {
    const rate = bytesPerSecond === undefined ? undefined : `${bytesText(Math.round(bytesPerSecond))}/s`
    return [this.#standing.phaseText, bytesText(bytes), rate].filter(Boolean).join('  ')
  }
}

/** It would draw when nothing has happened, and keep the process alive for it. */
function stopTimer(multi: MultiBar): void {
  clearTimeout((multi as unknown as { timer: NodeJS.Timeout }).timer)
}
