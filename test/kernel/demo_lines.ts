// SPDX-License-Identifier: Apache-2.0
import type { MigrationProgress } from 'vfio-migrate'

/** A line for each arc that was made. */
export function printArcs(progress: MigrationProgress): void {
  if (progress.kind !== 'arcs') return
  for (const { from, to, ms } of progress.arcs) {
    const arc = `${from} -> ${to}`.padEnd(28)
    console.log(`  ${progress.side.padEnd(11)}  ${arc}  ${ms.toFixed(3).padStart(8)} ms`)
  }
}
