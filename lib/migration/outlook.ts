// SPDX-License-Identifier: Apache-2.0
import type { Arc } from '../errors.ts'
import { precopyClass } from '../kernel/drivers.ts'
import { preCopyStates, type StateName } from '../kernel/state.ts'
import type { Prepared } from '../wire/message.ts'
import type { DeviceOutlook } from './progress.ts'
import type { SourceMember } from './source_member.ts'

/** What is known of each device before its first round. */
export function outlooks(members: readonly SourceMember[], { arcs }: Prepared): DeviceOutlook[] {
  return members.map((member, index) => outlook(member, arcs[index] ?? []))
}

/** The destination is a device of the same kind: it stops as the source will. */
function outlook(member: SourceMember, preparing: readonly Arc[]): DeviceOutlook {
  const { hasPrecopy, side, stateBytes } = member
  return {
    precopy: precopyClass(side.device.driver, hasPrecopy),
    stateBytes,
    arcMs: mean(preparing.filter(isStopping)),
    stopArcs: stopArcs(side.before ?? 'RUNNING', side.device.capabilities.p2p),
    startArcs: stopArcs('RUNNING', side.device.capabilities.p2p),
    precopyArcMs: mean(side.arcs.filter(({ to }) => preCopyStates.has(to))),
    // Known when the first record has been read.
    get chunkBytes() {
      return member.chunkBytes
    },
  }
}

function isStopping({ to }: Arc): boolean {
  return to === 'RUNNING_P2P' || to === 'STOP'
}

function stopArcs(from: StateName, p2p: boolean): number {
  if (from === 'STOP') return 0
  return p2p && from === 'RUNNING' ? 2 : 1
}

/** What of the time that preparing the destination took was none of its arcs': its devices stop at one time, and go on together. */
export function handoverOf(prepareMs: number, { arcs }: Prepared): number {
  const longest = (which: (arc: Arc) => boolean): number =>
    Math.max(0, ...arcs.map(each => span(each.filter(which))))
  return Math.max(0, prepareMs - longest(isStopping) - longest(arc => !isStopping(arc)))
}

/** Undefined where there was none to be measured. */
function mean(arcs: readonly Arc[]): number | undefined {
  return arcs.length === 0 ? undefined : span(arcs) / arcs.length
}

function span(arcs: readonly Arc[]): number {
  return arcs.reduce((sum, { ms }) => sum + ms, 0)
}
