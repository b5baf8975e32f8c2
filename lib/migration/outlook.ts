// SPDX-License-Identifier: Apache-2.0
import type { Arc } from '../errors.ts'
import { precopyClass } from '../kernel/drivers.ts'
import { preCopyStates } from '../kernel/state.ts'
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
    stopArcsMs: span(preparing.filter(({ to }) => to === 'RUNNING_P2P' || to === 'STOP')),
    precopyArcMs: span(side.arcs.filter(({ to }) => preCopyStates.has(to))),
    // Known when the first record has been read.
    get chunkBytes() {
      return member.chunkBytes
    },
  }
}

/** What of the time that preparing the destination took was none of its arcs', which its devices make at the same time. */
export function handoverOf(prepareMs: number, { arcs }: Prepared): number {
  return Math.max(0, prepareMs - Math.max(0, ...arcs.map(each => span(each) ?? 0)))
}

/** Undefined where there was none to be measured. */
function span(arcs: readonly Arc[]): number | undefined {
  if (arcs.length === 0) return undefined
  return arcs.reduce((sum, { ms }) => sum + ms, 0)
}
