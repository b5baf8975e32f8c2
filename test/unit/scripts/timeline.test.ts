// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'

interface Output {
  readonly isTTY: boolean
  readonly columns?: number
  write(text: string): void
}

type MakeTimeline = new (
  watched: object[],
  how: { now: () => number; output: Output; terminal: string },
) => { stop(): void }

const { href } = new URL('../../../scripts/demo/timeline.mjs', import.meta.url)
const { Timeline } = (await import(href)) as { Timeline: MakeTimeline }

/** What is written while an image is half saved, and when it is saved. */
function written(terminal: string, facts: Omit<Output, 'write'>): string {
  const events: object[] = []
  let text = ''
  const timeline = new Timeline([{ side: 'source', events: () => events, bytesPerSecond: 1000 }], {
    now: () => 500,
    output: { ...facts, write: more => (text += more) },
    terminal,
  })
  events.push({ at: 0, kind: 'command', command: 'SAVE', args: { track: true, room: 1000 } })
  timeline.stop()
  events.push({ at: 1000, kind: 'status', command: 'SAVE', status: 0, errno: 0 })
  timeline.stop()
  return text
}

const widths = (text: string): number[] =>
  text.split(/[\r\n]/).map(line => line.replace('\u001b[K', '').length)

describe('the timeline of the demonstration', () => {
  it('draws a bar on a terminal, and the line over it', () => {
    const text = written('xterm', { isTTY: true, columns: 80 })
    assert.match(
      text,
      /\r\u001b\[K {2}source {7}save the first image {10}█{15}░{15}\r\u001b\[K {2}source .* 1000\.0 ms\n$/,
    )
  })

  it('draws one that fits', () => {
    for (const columns of [52, 60, 75, 76, 200]) {
      const text = written('xterm', { isTTY: true, columns })
      const [, bar = 0] = widths(text)
      assert.ok(text.includes('█') && bar < columns, `${bar} of ${columns}`)
    }
  })

  it('draws none where none fits, where nothing can be drawn over, and into a pipe', () => {
    for (const [terminal, facts] of [
      ['xterm', { isTTY: true, columns: 48 }],
      ['dumb', { isTTY: true, columns: 80 }],
      ['xterm', { isTTY: false }],
    ] as const)
      assert.match(written(terminal, facts), /^ {2}source {7}save the first image +1000\.0 ms\n$/)
  })
})
