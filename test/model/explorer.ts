// SPDX-License-Identifier: Apache-2.0

/** What can happen next. */
export interface Step<World> {
  readonly label: string
  readonly to: World
  /** It happens of itself when nothing fails any more; what is not expected is a crash, a failure, or somebody's wish. */
  readonly expected: boolean
}

export interface Model<World> {
  readonly initial: World
  steps(world: World): readonly Step<World>[]
  /** A number of its own for every world. */
  key(world: World): number
  /** What is wrong with a world; undefined for one that may be. */
  readonly wrong: (world: World) => string | undefined
  /** Everything is decided, and everybody knows. */
  isSettled(world: World): boolean
}

/** The shortest way to a world that may not be. */
export interface Counterexample<World> {
  readonly what: string
  readonly trace: readonly { readonly label: string; readonly world: World }[]
}

export interface Explored<World> {
  readonly worlds: readonly World[]
  readonly steps: number
  readonly settled: readonly World[]
  readonly counterexample: Counterexample<World> | undefined
}

/** The worlds that were seen, in the order of their distance, and how each was come to. */
class Seen<World> {
  readonly worlds: World[] = []
  readonly #numbers = new Map<number, number>()
  readonly #from: number[] = []
  readonly #labels: string[] = []

  /** The number of a world, which is the next one for a new world. */
  number(world: World, key: number, from: number, label: string): number {
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#numbers.set(key, this.worlds.length)
    this.#from.push(from)
    this.#labels.push(label)
    return this.worlds.push(world) - 1
  }

  counterexample(what: string, end: number): Counterexample<World> {
    const trace = []
    for (let at = end; at >= 0; at = this.#from[at] ?? -1) {
      trace.unshift({ label: this.#labels[at] ?? '', world: this.worlds[at] as World })
    }
    return { what, trace }
  }
}

/**
 * Breadth first through every world that can be. Three things are asked: that no world is wrong; that the expected steps
 * alone never run in a circle; and that they end nowhere but in settled worlds. So from every world that can be, however
 * bad, all is settled as soon as nothing fails any more.
 */
export function explore<World>(model: Model<World>): Explored<World> {
  const seen = new Seen<World>()
  const expected: number[][] = []
  let steps = 0
  let wrong: string | undefined
  seen.number(model.initial, model.key(model.initial), -1, 'in the beginning')
  let at = 0
  for (; at < seen.worlds.length; at++) {
    const world = seen.worlds[at] as World
    wrong = model.wrong(world)
    if (wrong !== undefined) break
    const next = (expected[at] = [] as number[])
    for (const step of model.steps(world)) {
      const to = seen.number(step.to, model.key(step.to), at, step.label)
      steps++
      if (step.expected && to !== at) next.push(to)
    }
  }
  const ends = expected.flatMap((next, number) => (next.length === 0 ? [number] : []))
  const settled = ends.map(number => seen.worlds[number] as World)
  const found =
    wrong === undefined
      ? (unsettled(model, seen, ends) ?? circle(seen, expected))
      : seen.counterexample(wrong, at)
  return { worlds: seen.worlds, steps, settled, counterexample: found }
}

function unsettled<World>(model: Model<World>, seen: Seen<World>, ends: readonly number[]) {
  const end = ends.find(number => !model.isSettled(seen.worlds[number] as World))
  return end === undefined
    ? undefined
    : seen.counterexample('a dead end: it is not settled, and nothing goes on', end)
}

/** Takes away what nothing leads to, until only circles are left and what they lead to. */
function circle<World>(seen: Seen<World>, next: readonly (readonly number[])[]) {
  const entries = new Uint32Array(next.length)
  for (const to of next.flat()) entries[to] = (entries[to] ?? 0) + 1
  const free = next.flatMap((_, number) => (entries[number] === 0 ? [number] : []))
  for (let at = free.pop(); at !== undefined; at = free.pop()) {
    for (const to of next[at] ?? []) {
      entries[to] = (entries[to] ?? 0) - 1
      if (entries[to] === 0) free.push(to)
    }
  }
  const inside = entries.findIndex(count => count > 0)
  return inside < 0 ? undefined : seen.counterexample('a circle: it goes on for ever', inside)
}
