// SPDX-License-Identifier: Apache-2.0
// A migration of simulated devices, as it goes: a line for each arc and each image; on a terminal a bar while one takes its time.
/** @typedef {import('../../dist/mock/index.js').RecordedEvent} RecordedEvent */
/** @typedef {{ side: string, events: () => readonly RecordedEvent[], bytesPerSecond: number }} Watched */
/** @typedef {{ side: string, what: string, began: number, expectedMs: number }} Transfer */

const widestBar = 30
/** Less than that shows nothing that moves. */
const narrowestBar = 5
const clearLine = '\r\u001b[K'

/** @param {string} side @param {string} what @param {string} rest */
const row = (side, what, rest) => `  ${side.padEnd(11)}  ${what.padEnd(28)}  ${rest}`

const rowWidth = row('', '', '').length

/**
 * How wide a bar may be, 0 for none: one that wraps could not be drawn over, and a dumb terminal draws nothing over.
 * @param {{ isTTY?: boolean, columns?: number }} output @param {string | undefined} terminal
 */
function barWidthOn({ isTTY, columns = Infinity }, terminal) {
  if (!isTTY || terminal === 'dumb') return 0
  // The last column is left free: some terminals wrap as soon as it is written.
  const width = Math.min(widestBar, columns - rowWidth - 1)
  return width < narrowestBar ? 0 : width
}

/** @param {number} ms */
const msText = ms => `${ms.toFixed(1).padStart(7)} ms`

/** @param {number} bytes */
export const mebibytes = bytes => `${(bytes / 1024 ** 2).toFixed(1)} MiB`

/** What is looked at often enough to seem to move. */
const frameMs = 40

export class Timeline {
  /** @type {Transfer | undefined} */
  #transfer
  #rounds = 0
  #watched
  #now
  #output
  #terminal
  #timer
  /** A bar is in the line that is written next. */
  #isDrawn = false

  /** @param {Watched[]} watched @param {{ now: () => number, output: NodeJS.WriteStream, terminal?: string | undefined }} how terminal: what TERM says */
  constructor(watched, { now, output, terminal = process.env.TERM }) {
    this.#watched = watched.map(one => ({ ...one, seen: one.events().length }))
    this.#now = now
    this.#output = output
    this.#terminal = terminal
    this.#timer = setInterval(() => this.#look(), frameMs)
  }

  /** @param {import('../../dist/index.js').MigrationProgress} progress */
  onProgress(progress) {
    if (progress.kind !== 'arcs') return
    this.#look()
    for (const { from, to, ms } of progress.arcs) this.#line(progress.side, `${from} -> ${to}`, msText(ms))
  }

  stop() {
    clearInterval(this.#timer)
    this.#look()
  }

  #look() {
    const news = this.#watched.flatMap(one => {
      const events = one.events().slice(one.seen)
      one.seen += events.length
      return events.map(event => ({ one, event }))
    })
    for (const { one, event } of news.sort((a, b) => a.event.at - b.event.at)) this.#take(one, event)
    this.#draw()
  }

  /** @param {Watched} one @param {RecordedEvent} event */
  #take({ side, bytesPerSecond }, event) {
    if (!('command' in event) || !['SAVE', 'LOAD'].includes(event.command)) return
    if (event.kind === 'command') {
      const bytes = Number(event.args.bytes ?? event.args.room)
      const what = event.command === 'SAVE' ? this.#image(event.args) : `load ${mebibytes(bytes)}`
      this.#transfer = { side, what, began: event.at, expectedMs: (bytes / bytesPerSecond) * 1000 }
    } else if (this.#transfer) {
      const { what, began } = this.#transfer
      this.#transfer = undefined
      this.#line(side, what, msText(event.at - began))
    }
  }

  /** @param {Readonly<Record<string, unknown>>} demand */
  #image({ incremental, track }) {
    if (!track) return 'save the final image'
    return incremental ? `save what changed, round ${++this.#rounds}` : 'save the first image'
  }

  /** The terminal may have another width each time. */
  #draw() {
    const width = barWidthOn(this.#output, this.#terminal)
    if (width === 0 || !this.#transfer) return
    const { side, what, began, expectedMs } = this.#transfer
    const done = Math.min(1, (this.#now() - began) / expectedMs)
    const filled = Math.round(done * width)
    this.#output.write(clearLine + row(side, what, `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`))
    this.#isDrawn = true
  }

  /** @param {string} side @param {string} what @param {string} rest */
  #line(side, what, rest) {
    this.#output.write(`${this.#isDrawn ? clearLine : ''}${row(side, what, rest)}\n`)
    this.#isDrawn = false
  }
}
