// SPDX-License-Identifier: Apache-2.0
// Who could execute which state, and when: computed from what the devices did, without asking the engine.
import type { RecordedEvent } from '#lib/mock/history.js'
import type { MockDevice, Run } from 'vfio-migrate/mock'

/** States in which a device answers to somebody: it works, or takes the DMA of others. */
const alive: ReadonlySet<string> = new Set(['RUNNING', 'RUNNING_P2P', 'PRE_COPY', 'PRE_COPY_P2P'])
const saving: ReadonlySet<string> = new Set(['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'])

/** A stretch of time in which a device could execute one state. In ms. */
export interface Life {
  readonly device: string
  /** The life that the state had begun as: a device and how often it had been reset. */
  readonly of: string
  readonly begin: number
  readonly end: number
}

interface Walk {
  readonly lives: Life[]
  /** Which life its state is of, and since when. */
  readonly holds: { readonly of: string; readonly since: number }[]
  /** What it last gave out. */
  readonly gave: string | undefined
}

/** The lives of a device; `loads` is what it holds once it has left RESUMING. */
function walk({ name, history }: MockDevice, loads: string): Walk {
  const lives: Life[] = []
  const holds: Walk['holds'] = [{ of: `${name}/0`, since: 0 }]
  let [of, resets, state, gave] = [`${name}/0`, 0, 'RUNNING', undefined as string | undefined]
  let begin = 0
  const become = (next: string, at: number): void => {
    if (alive.has(state)) lives.push({ device: name, of, begin, end: at })
    state = next
    begin = at
  }
  const hold = (life: string, at: number): void => {
    of = life
    holds.push({ of, since: at })
  }
  for (const event of history) {
    if (event.kind === 'event' && event.event === 'reset') {
      become('RUNNING', event.at)
      hold(`${name}/${++resets}`, event.at)
    } else if (isMade(event)) {
      if (saving.has(event.to) && !saving.has(event.from)) gave = of
      become(event.to, event.at)
      if (event.to === 'RESUMING') hold(`${name} loading`, event.at)
      if (event.from === 'RESUMING') hold(loads, event.at)
    }
  }
  become('closed', Infinity)
  return { lives, holds, gave }
}

function isMade(event: RecordedEvent): event is Extract<RecordedEvent, { kind: 'arc' }> {
  return event.kind === 'arc' && event.errno === 0
}

/** Every life of a pair, in the order of time. */
export function livesOf(
  source: MockDevice,
  destination: MockDevice,
): { given: string; lives: Life[]; steps: Steps[] } {
  const from = walk(source, 'nothing')
  const given = from.gave ?? `${source.name}/0`
  const to = walk(destination, given)
  const lives = [...from.lives, ...to.lives].filter(({ begin, end }) => end > begin)
  return {
    given,
    lives: lives.sort((a, b) => a.begin - b.begin),
    steps: [...stepsOf(source, from), ...stepsOf(destination, to)],
  }
}

/** What is wrong with who ran when; nothing where at every moment there was one owner at most. */
export function twoOwners(source: MockDevice, destination: MockDevice): string[] {
  const { given, lives, steps } = livesOf(source, destination)
  const ofOne = lives.filter(({ of }) => of === given)
  const [theirs] = ofOne.filter(({ device }) => device === destination.name)
  const late = ofOne.filter(({ device, end }) => device === source.name && theirs && end > theirs.begin)
  return [
    ...late.map(
      ({ begin }) => `${source.name} lives from ${begin} on, and ${destination.name} from ${theirs?.begin}`,
    ),
    ...sameSteps(steps),
  ]
}

/** Steps that the workload made, and the life that they belong to: one seed is the seed of all lives of a device. */
interface Steps extends Run {
  readonly of: string | undefined
}

function stepsOf({ runLog }: MockDevice, { holds }: Walk): Steps[] {
  const isBefore = (ms: number, ns: bigint): boolean => BigInt(Math.round(ms * 1e6)) <= ns
  return runLog.map(run => ({ ...run, of: holds.findLast(({ since }) => isBefore(since, run.beginNs))?.of }))
}

/** The same by another witness: the workload, which counts its steps. */
function sameSteps(all: readonly Steps[]): string[] {
  return all.flatMap((run, index) =>
    all
      .slice(index + 1)
      .filter(({ of, seed }) => of === run.of && seed === run.seed)
      .filter(other => run.firstEpoch < other.endEpoch && other.firstEpoch < run.endEpoch)
      .map(other => `${run.device} and ${other.device} made one step`),
  )
}

/** Which of the pair could execute the state that was to be moved, at the end. */
export function ownersAtTheEnd(source: MockDevice, destination: MockDevice): string[] {
  const { given, lives } = livesOf(source, destination)
  return lives.filter(({ of, end }) => of === given && end === Infinity).map(({ device }) => device)
}
