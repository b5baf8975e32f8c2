// SPDX-License-Identifier: Apache-2.0
import type { Holder } from './holder.js'
import * as interference from './interference.js'
import * as life from './life.js'
import * as pumping from './pumping.js'
import * as reading from './reading.js'
import * as writing from './writing.js'

export interface Operation {
  readonly name: string
  readonly begin: (holder: Holder) => Promise<void>
  /** How often it is chosen, as against the others. */
  readonly weight: number
  /** It comes to its end whatever the holder does next: it may be waited for. */
  readonly ends: boolean
}

type Row = readonly [begin: (holder: Holder) => Promise<void>, weight: number, ends: boolean]

const rows: Readonly<Record<'any' | 'saving' | 'resuming', Readonly<Record<string, Row>>>> = {
  any: {
    open: [life.open, 3, true],
    setState: [life.setState, 16, true],
    state: [life.state, 2, true],
    stopCopyBytes: [life.stopCopyBytes, 1, true],
    reset: [life.reset, 2, true],
    close: [life.close, 2, true],
    forget: [life.forget, 1, true],
    abort: [life.abort, 2, true],
    collectGarbage: [life.collectGarbage, 1, true],
    resize: [interference.resize, 3, true],
    hold: [interference.hold, 3, true],
    cut: [interference.cut, 2, true],
    fail: [interference.fail, 1, true],
  },
  saving: {
    precopyInfo: [life.precopyInfo, 10, true],
    chunks: [reading.chunks, 12, false],
    chunksToRelease: [reading.chunksToRelease, 6, false],
    forAwait: [reading.forAwait, 3, false],
    listen: [reading.listen, 2, true],
    throughPipeline: [reading.throughPipeline, 3, false],
    copyToFd: [reading.copyToFd, 4, false],
    copyToFile: [reading.copyToFile, 2, false],
    pumpToFile: [pumping.pumpToFile, 4, false],
    pumpToStuckPipe: [pumping.pumpToStuckPipe, 2, false],
    idle: [reading.idle, 1, false],
    destroySaving: [reading.destroySaving, 1, true],
  },
  // What is written comes behind what is pumped, and a pipe may have no end.
  resuming: {
    write: [writing.write, 8, false],
    writeSeveral: [writing.writeSeveral, 4, false],
    writeAndTake: [writing.writeAndTake, 1, false],
    writeLent: [writing.writeLent, 12, false],
    pumpFromFile: [pumping.pumpFromFile, 4, false],
    pumpFromStuckPipe: [pumping.pumpFromStuckPipe, 1, false],
    end: [writing.end, 3, false],
    destroyResuming: [writing.destroyResuming, 1, true],
  },
}

const listOf = (named: Readonly<Record<string, Row>>): Operation[] =>
  Object.entries(named).map(([name, [begin, weight, ends]]) => ({ name, begin, weight, ends }))

const any = listOf(rows.any)
const saving = listOf(rows.saving)
const resuming = listOf(rows.resuming)

export const operations: readonly Operation[] = [...any, ...saving, ...resuming]

/** Each as often as it weighs. */
const urn = (list: readonly Operation[]): readonly Operation[] =>
  list.flatMap(operation => Array<Operation>(operation.weight).fill(operation))

const urns = {
  closed: urn(any.filter(({ name }) => ['open', 'collectGarbage'].includes(name))),
  none: urn(any),
  saving: urn([...any, ...saving]),
  resuming: urn([...any, ...resuming]),
  all: urn(operations),
}

/** Mostly what can be done to the device now, and now and then anything. */
export function choose({ session, dice }: Holder): Operation {
  const chosen = dice.pick(urns[dice.oneIn(10) ? 'all' : session])
  if (chosen === undefined) throw new Error('there is no operation')
  return chosen
}
