// SPDX-License-Identifier: Apache-2.0
import { sourceFacts, type SourceFact } from '#lib/ownership/journal.js'
import { recoveredSource, sourceMayRun, type SourceEvent } from '#lib/ownership/source.js'
import type { Step } from './explorer.js'
import type { Rules } from './rules.js'
import { factsOf, has, wasSent, withFact, withMessage, type ModelMessage, type World } from './world.js'

const factOf: Readonly<Record<SourceEvent, SourceFact>> = {
  yield: 'yielded',
  reclaim: 'reclaimed',
  release: 'released',
}

/** The world after a call of the source's owner has begun; undefined where the table refuses it. */
function begin(rules: Rules, world: World, event: SourceEvent): World | undefined {
  const step = rules.sourceTable[world.source][event]
  if (step === undefined || world.sourceWrites !== undefined) return undefined
  if (step.writes === undefined) return { ...world, source: step.then }
  return { ...world, source: step.meanwhile, sourceWrites: event }
}

type Say = (label: string, to: World | undefined, expected?: boolean) => void

/** All that the source, its devices and its journal can do next. `lives`: the device was lent, and survives its process. */
export function sourceSteps(rules: Rules, world: World, lives: boolean): Step<World>[] {
  const steps: Step<World>[] = []
  const say: Say = (label, to, expected = true) => {
    if (to !== undefined && to !== world) steps.push({ label: `source: ${label}`, to, expected })
  }
  if (world.sourceUp) living(rules, world, lives, say)
  else recovery(rules, world, lives, say)
  ghost(world, lives, say)
  return steps
}

function living(rules: Rules, world: World, lives: boolean, say: Say): void {
  writing(rules, world, say)
  if (!world.sourceRecovered) saving(rules, world, say)
  asking(rules, world, say)
  hearing(rules, world, say)
  running(world, say)
  crash(world, lives, say)
}

function writing(rules: Rules, world: World, say: Say): void {
  const event = world.sourceWrites
  if (event === undefined) return
  const rest: World = { ...world, sourceWrites: undefined }
  const then = rules.sourceTable[world.source][event]?.then ?? world.source
  say(`${factOf[event]} is durable`, withFact({ ...rest, source: then }, factOf[event]))
  say(`writing ${factOf[event]} fails, and it is there`, withFact(rest, factOf[event]), false)
  say(`writing ${factOf[event]} fails, and it is not there`, rest, false)
}

function saving(rules: Rules, world: World, say: Say): void {
  const stopped = world.sourceDevice === 'stopped' && world.sourceKernel === 'none'
  if (world.sourceDevice === 'runs' && !world.sourceRanAgain && world.source === 'owner') {
    say('stops its device', { ...world, sourceDevice: 'stopped' })
  }
  if (world.source === 'owner' && stopped && world.link) say('yield()', begin(rules, world, 'yield'))
  if (!world.link) return
  const isYielded = rules.yieldedIsToldIn.includes(world.source)
  if (isYielded) send(world, 'yielded', say)
  const mayEnd = isYielded && wasSent(world, 'yielded')
  if (mayEnd || (stopped && !rules.endAfterYielded)) send(world, 'end', say)
}

function send(world: World, message: ModelMessage, say: Say): void {
  if (!wasSent(world, message)) say(`sends ${message}`, withMessage(world, message))
}

/** Gives up, because it was told to, because writing failed, or because the link broke; and asks after a crash. */
function asking(rules: Rules, world: World, say: Say): void {
  const failed = world.source === 'yielding' && world.sourceWrites === undefined
  const isUnsent = world.source === 'owner' ? world.sourceDevice === 'stopped' : failed
  if (isUnsent && !world.sourceRecovered) {
    const free = begin(rules, world, 'reclaim')
    say('gives up, reclaim()', free && askedBack(free), failed || !world.link)
    if (failed) say('yield() again', begin(rules, world, 'yield'), false)
  }
  if (world.source !== 'yielded' || world.sourceWrites !== undefined) return
  const isUnsaid = !wasSent(world, 'yielded') && !world.sourceRecovered
  if (isUnsaid || (!rules.provenAfterCrash && world.sourceRecovered)) {
    const free = begin(rules, world, 'reclaim')
    say('turns back, reclaim()', free && askedBack(free), !world.link)
  }
  const wanted = world.sourceDevice !== 'blank' || !rules.blankAsksNothingBack
  if (wanted && !wasSent(world, 'back')) say('sends back', askedBack(world), !world.link)
  if (!wanted) send(world, 'ask', say)
  if (!rules.proofFirst && !world.link) say('reclaim() without proof', begin(rules, world, 'reclaim'))
}

function askedBack(world: World): World {
  const wantedBack = world.wantedBack || world.sourceDevice !== 'blank'
  return { ...withMessage(world, 'back'), wantedBack }
}

function hearing(rules: Rules, world: World, say: Say): void {
  const isStopped = world.source !== 'owner' || (world.sourceDevice === 'stopped' && !world.sourceRecovered)
  if (wasSent(world, 'abdicated') && isStopped) {
    say('is shown abdicated, reclaim()', begin(rules, world, 'reclaim'))
  }
  if (wasSent(world, 'running')) say('is shown running, release()', begin(rules, world, 'release'))
  if (wasSent(world, 'lost') && world.source === 'yielded' && !world.toldLost) {
    say('is shown lost', { ...world, toldLost: true })
  }
}

function running(world: World, say: Say): void {
  if (world.sourceKernel === 'call') {
    say('its device runs', { ...world, sourceKernel: 'none', sourceDevice: 'runs', sourceRanAgain: true })
  }
  const wants = world.source === 'reclaimed' || world.sourceRecovered
  if (!wants || !sourceMayRun(world.source)) return
  if (world.sourceDevice === 'stopped' && world.sourceKernel === 'none') {
    say('SET RUNNING', { ...world, sourceKernel: 'call' })
  }
}

/** What was being written may be there or not. The kernel finishes a call, and lets go of device and lock after it. */
function crash(world: World, lives: boolean, say: Say): void {
  const isBusy = world.sourceKernel !== 'none'
  const down: World = {
    ...world,
    link: false,
    sourceUp: false,
    source: 'owner',
    sourceWrites: undefined,
    sourceRecovered: false,
    toldLost: false,
    sourceKernel: isBusy ? 'call of the dead' : 'none',
    sourceDevice: lives || isBusy ? world.sourceDevice : 'blank',
  }
  say('is killed', down, false)
  if (world.sourceWrites) {
    const fact = factOf[world.sourceWrites]
    say(`is killed, and ${fact} is there`, withFact(down, fact), false)
  }
}

/** A device that is still held cannot be opened by path; a lent one comes from its lender at any time. */
function recovery(rules: Rules, world: World, lives: boolean, say: Say): void {
  if (world.sourceKernel !== 'none' && (rules.lockFirst || !lives)) return
  // A journal that contradicts itself is refused: nobody comes back, which is a dead end.
  if (has(world, 'reclaimed') && has(world, 'released')) return
  const source = recoveredSource(factsOf(world, sourceFacts))
  say('comes back', { ...world, sourceUp: true, sourceRecovered: true, source })
}

function ghost(world: World, lives: boolean, say: Say): void {
  if (world.sourceKernel === 'call of the dead') {
    const ran: World = { ...world, sourceDevice: 'runs', sourceRanAgain: true }
    say('the call of the killed process has let its device run', { ...ran, sourceKernel: 'last close' })
  }
  if (world.sourceKernel === 'last close') {
    const left: World = { ...world, sourceKernel: 'none' }
    say('the killed process is gone', lives ? left : { ...left, sourceDevice: 'blank' })
  }
}
