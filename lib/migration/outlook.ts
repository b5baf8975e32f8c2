// SPDX-License-Identifier: Apache-2.0
import type { Arc } from '../errors.ts'
import { precopyClass } from '../kernel/drivers.ts'
import type { Prepared } from '../wire/message.ts'
import type { DeviceOutlook } from './progress.ts'
import type { SourceMember } from './source_member.ts'

/** What is known of each device before its first round. */
export async function outlooks(
  members: readonly SourceMember[],
  { arcs }: Prepared,
): Promise<DeviceOutlook[]> {
  return await Promise.all(members.map(async (member, index) => await outlook(member, arcs[index] ?? [])))
}

/** The destination is a device of the same kind: it stops as the source will. */
async function outlook(member: SourceMember, preparing: readonly Arc[]): Promise<DeviceOutlook> {
  const { hasPrecopy, outflow, side } = member
  const stateBytes = await side.device.stopCopyBytes().catch(() => undefined)
  return {
    precopy: precopyClass(side.device.driver, hasPrecopy),
    stateBytes,
    stopArcsMs: span(preparing.filter(({ to }) => to === 'RUNNING_P2P' || to === 'STOP')),
    precopyArcMs: span(side.arcs.filter(({ to }) => to === 'PRE_COPY')),
    // Known when the first record has been read.
    get chunkBytes() {
      const { announcedBytes } = outflow
      return announcedBytes !== undefined && announcedBytes < (stateBytes ?? 0) ? announcedBytes : undefined
    },
  }
}

function span(arcs: readonly Arc[]): number {
  return arcs.reduce((sum, { ms }) => sum + ms, 0)
}
