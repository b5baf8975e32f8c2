// SPDX-License-Identifier: Apache-2.0
import { release } from 'node:os'
import { migrate } from 'vfio-migrate'
import { pairOf } from '../unit/migration/pair.js'
import { openBottledPair } from './bottle.js'
import { printArcs } from './demo_lines.js'

const mebibyte = 2 ** 20

console.log(`Linux ${release()}, two functions of the kernel's own mlx5_vfio_pci, on simulated firmware.`)
await using pair = await openBottledPair({ size: 4 * mebibyte, rate: 2 * mebibyte, working_set: mebibyte })
const { from, to, source, destination } = pair
// So that both can be compared afterwards.
await to.set({ rate: 0 })
console.log(`The source has 4 MiB of state, and a workload that writes 2 MiB of it a second.\n`)
console.log(
  `  source       ${source.name}, opened by its ${source.via}, digest ${(await from.digest()).digest}`,
)
console.log(`  destination  ${destination.name}, likewise, digest ${(await to.digest()).digest}\n`)

const report = await migrate({ from: source, to: destination, onProgress: printArcs })
const [before, after] = [await from.digest(), await to.digest()]
const equal = before.digest === after.digest

console.log(`\n  source       digest ${before.digest}, after ${before.epoch} steps of the workload`)
console.log(`  destination  digest ${after.digest}  ${equal ? 'the same state' : 'NOT the same state'}`)
console.log(
  `\n${report.bytes} bytes of device state moved, ${report.precopyBytes} of them while the source was running.`,
)
console.log(
  `Downtime ${report.downtimeMs.toFixed(1)} ms, of ${report.totalMs.toFixed(1)} ms in all, on an emulated CPU.`,
)
const { source: left, destination: taken } = pairOf(report)
console.log(`The source is in ${left.state ?? '?'}, the destination in ${taken.state ?? '?'}.`)
process.exitCode = equal ? 0 : 1
