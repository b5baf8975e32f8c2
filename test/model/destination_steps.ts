// SPDX-License-Identifier: Apache-2.0
import { destinationFacts, type DestinationFact } from '#lib/ownership/journal.js'
import { destinationMayRun, recoveredDestination, type DestinationEvent } from '#lib/ownership/destination.js'
import type { Step } from './explorer.js'
import type { Rules } from './rules.js'
import { factsOf, has, wasSent, withFact, withMessage, type ModelMessage, type World } from './world.js'

type WritingEvent = Exclude<DestinationEvent, 'found-stopped'>

const factOf: Readonly<Record<WritingEvent, DestinationFact>> = {
  accept: 'accepted',
  intend: 'run-intent',
  ran: 'ran',
  abdicate: 'abdicated',
}

/** The world after a call of the destination's owner has begun; undefined where the table refuses it. */
function begin(rules: Rules, world: World, event: WritingEvent): World | undefined {
  const step = rules.destinationTable[world.destination][event]
  if (step === undefined || world.destinationWrites !== undefined) return undefined
  if (step.writes === undefined) return { ...world, destination: step.then }
  return { ...world, destination: step.meanwhile, destinationWrites: event }
}

type Say = (label: string, to: World | undefined, expected?: boolean) => void

/** All that the destination, its devices and its journal can do next. `lives`: the device survives its process. */
export function destinationSteps(rules: Rules, world: World, lives: boolean): Step<World>[] {
  const steps: Step<World>[] = []
  const say: Say = (label, to, expected = true) => {
    if (to !== undefined && to !== world) steps.push({ label: `destination: ${label}`, to, expected })
  }
  if (world.destinationUp) living(rules, world, lives, say)
  else recovery(rules, world, lives, say)
  ghost(world, lives, say)
  return steps
}

function living(rules: Rules, world: World, lives: boolean, say: Say): void {
  writing(rules, world, say)
  loading(rules, world, say)
  givingUp(rules, world, say)
  committing(rules, world, say)
  arcs(rules, world, say)
  settling(rules, world, say)
  telling(rules, world, say)
  crash(world, lives, say)
}

function writing(rules: Rules, world: World, say: Say): void {
  const event = world.destinationWrites
  if (event === undefined) return
  const rest: World = { ...world, destinationWrites: undefined }
  const then = rules.destinationTable[world.destination][event]?.then ?? world.destination
  say(`${factOf[event]} is durable`, withFact({ ...rest, destination: then }, factOf[event]))
  say(`writing ${factOf[event]} fails, and it is there`, withFact(rest, factOf[event]), false)
  say(`writing ${factOf[event]} fails, and it is not there`, rest, false)
}

/** Every message that was ever sent may come now, for the first time or again. */
function loading(rules: Rules, world: World, say: Say): void {
  say('is shown the offer, accept()', begin(rules, world, 'accept'))
  if (world.destination !== 'accepted' || world.destinationWrites !== undefined) return
  if (wasSent(world, 'yielded') && !world.shownYielded) {
    say('is shown yielded', { ...world, shownYielded: true })
  }
  const inOrder = world.shownYielded || !rules.yieldedFirst
  if (wasSent(world, 'end') && inOrder && world.destinationDevice === 'blank') {
    say('is shown end, and its device is complete', { ...world, destinationDevice: 'whole' })
  }
}

/** Nothing is wanted of a destination that has not got all, when the link has broken or the source asks. */
function givingUp(rules: Rules, world: World, say: Say): void {
  if (rules.arcFirst && world.destinationKernel !== 'none') return
  const free = begin(rules, world, 'abdicate')
  if (free === undefined || world.destination === 'abdicated') return
  if (wasSent(world, 'back')) say('is shown that it is wanted back, abdicate()', free)
  const asked = wasSent(world, 'ask') && world.destination === 'idle'
  const cannot = isWaitingInVain(rules, world) && (!world.link || wasSent(world, 'ask'))
  if (asked || cannot) say('will never have all, abdicate()', free)
  if (world.destination === 'interrupted' || world.destination === 'abdicating') say('abdicate()', free)
  if (isOut(world) || world.destination === 'idle') return
  const refused = world.refused || world.destinationDevice === 'whole'
  say('its device or participant refuses, abdicate()', { ...free, refused }, false)
}

function isWaitingInVain(rules: Rules, world: World): boolean {
  const isComplete = world.destinationDevice === 'whole' && (world.shownYielded || !rules.yieldedFirst)
  const goesOn = isComplete && rules.completeGoesOn && world.shownYielded
  return world.destination === 'accepted' && !goesOn
}

function committing(rules: Rules, world: World, say: Say): void {
  const isReady = world.destinationDevice === 'whole' && (world.shownYielded || !rules.commitNeedsYielded)
  const isOurs = world.destination === 'accepted' || world.destination === 'intending'
  if (isReady && isOurs) say('intend()', begin(rules, world, 'intend'))
}

/** A device has left STOP: the engine calls ran() before anything else. */
function arcs(rules: Rules, world: World, say: Say): void {
  if (world.destinationKernel === 'call') {
    const over: World = { ...world, destinationKernel: 'none', destinationRan: true }
    const called = (to: World): World => begin(rules, to, 'ran') ?? to
    say('its devices have left STOP, ran()', called({ ...over, destinationDevice: 'out' }))
    if (world.destinationDevice !== 'whole') return
    say(
      'one of its devices has left STOP, ran()',
      called({ ...over, destinationDevice: 'partly out' }),
      false,
    )
    say('the arc out of STOP fails', { ...world, destinationKernel: 'none', refused: true }, false)
    return
  }
  if (world.destinationKernel !== 'none' || world.destination === 'doubtful') return
  const isReady = world.destinationDevice !== 'blank' && world.destinationDevice !== 'out'
  if (isReady && destinationMayRun(world.destination)) {
    say('SET RUNNING_P2P', { ...world, destinationKernel: 'call' })
  }
  if (isOut(world) && (has(world, 'ran') || !rules.ranFirst)) {
    say('leads its devices back to STOP', { ...world, destinationDevice: 'halted' }, false)
  }
}

function isOut({ destinationDevice }: World): boolean {
  return destinationDevice === 'out' || destinationDevice === 'partly out'
}

/** After a crash the devices themselves are looked at: were one in STOP that had left it, `ran` would be durable. */
function settling(rules: Rules, world: World, say: Say): void {
  if (world.destination !== 'doubtful') return
  const found = rules.destinationTable.doubtful['found-stopped']
  const inStop = world.destinationDevice === 'whole' || world.destinationDevice === 'halted'
  const isTaken = inStop || (world.destinationDevice === 'partly out' && !rules.allFoundStopped)
  if (isTaken && found) say('finds its devices in STOP', { ...world, destination: found.then })
  if (isOut(world)) say('finds a device that has left STOP, ran()', begin(rules, world, 'ran'))
}

/** On the link of the migration, or in answer on a later one. */
function telling(rules: Rules, world: World, say: Say): void {
  const isAsked = wasSent(world, 'ask') || wasSent(world, 'back')
  if (!world.link && !isAsked) return
  const tell = (message: ModelMessage): void => {
    if (!wasSent(world, message)) say(`sends ${message}`, withMessage(world, message))
  }
  if (world.destination === 'running') tell('running')
  if (rules.abdicatedIsToldIn.includes(world.destination)) tell('abdicated')
  if (!rules.unknownIsWritten && world.destination === 'idle' && isAsked) tell('abdicated')
  const isGone = world.destinationDevice === 'blank' && world.destinationKernel === 'none'
  if (world.destination === 'doubtful' && isGone && rules.lostIsTold) tell('lost')
}

function crash(world: World, lives: boolean, say: Say): void {
  const isBusy = world.destinationKernel !== 'none'
  const held = world.destinationDevice !== 'blank'
  const down: World = {
    ...world,
    link: false,
    destinationUp: false,
    destination: 'idle',
    destinationWrites: undefined,
    shownYielded: false,
    destinationDied: world.destinationDied || held,
    destinationKernel: isBusy ? 'call of the dead' : 'none',
    destinationDevice: lives || isBusy ? world.destinationDevice : 'blank',
  }
  say('is killed', down, false)
  if (world.destinationWrites) {
    const fact = factOf[world.destinationWrites]
    say(`is killed, and ${fact} is there`, withFact(down, fact), false)
  }
}

function recovery(rules: Rules, world: World, lives: boolean, say: Say): void {
  if (world.destinationKernel !== 'none' && (rules.lockFirst || !lives)) return
  // A journal that contradicts itself is refused: nobody comes back, which is a dead end.
  if (has(world, 'ran') && has(world, 'abdicated')) return
  const destination = recoveredDestination(factsOf(world, destinationFacts))
  say('comes back', { ...world, destinationUp: true, destination })
}

function ghost(world: World, lives: boolean, say: Say): void {
  if (world.destinationKernel === 'call of the dead') {
    const over: World = { ...world, destinationKernel: 'last close' }
    const ran: World = { ...over, destinationRan: true }
    say('the call of the killed process has led its devices out of STOP', {
      ...ran,
      destinationDevice: 'out',
    })
    if (world.destinationDevice === 'whole') {
      say('the call of the killed process has led one device out', {
        ...ran,
        destinationDevice: 'partly out',
      })
      say('the call of the killed process has failed', over, false)
    }
  }
  if (world.destinationKernel === 'last close') {
    const left: World = { ...world, destinationKernel: 'none' }
    say('the killed process is gone', lives ? left : { ...left, destinationDevice: 'blank' })
  }
}
