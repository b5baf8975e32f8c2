// SPDX-License-Identifier: Apache-2.0
import { release } from 'node:os'
import { migrate, openDevice, type Device } from 'vfio-migrate'
import { pairOf } from '../unit/migration/pair.js'
import { printArcs } from './demo_lines.js'
import { createMtty } from './mtty.js'

/** Registers of a 16550A that hold what is written to them, and what the demonstration writes. */
const registers = [
  { name: 'IER', offset: 1, value: 0x05 },
  { name: 'LCR', offset: 3, value: 0x1b },
  { name: 'MCR', offset: 4, value: 0x0b },
  { name: 'SCR', offset: 7, value: 0xa5 },
] as const

const hex = (bytes: readonly number[]): string =>
  bytes.map(byte => byte.toString(16).padStart(2, '0')).join(' ')

function bar0(device: Device): Device['regions'][number] {
  const region = device.regions[0]
  if (region === undefined) throw new Error(`${device.name} has no BAR 0`)
  return region
}

async function writeRegisters(device: Device): Promise<void> {
  for (const { offset, value } of registers) await bar0(device).write(offset, Uint8Array.of(value))
}

async function readRegisters(device: Device): Promise<number[]> {
  const bytes: number[] = []
  for (const { offset } of registers) bytes.push((await bar0(device).read(offset, 1))[0] ?? -1)
  return bytes
}

console.log(`Linux ${release()}, two devices of the kernel's own sample driver mtty (a serial port each).`)
await using sourceMdev = await createMtty('mtty-1')
await using destinationMdev = await createMtty('mtty-1')
await using source = await openDevice(sourceMdev.uuid)
await using destination = await openDevice(destinationMdev.uuid)

await writeRegisters(source)
const before = await readRegisters(source)
console.log(`\n  source       ${source.name}, ${source.driver ?? ''}, opened by its ${source.via}`)
console.log(
  `  destination  ${destination.name}, ${destination.driver ?? ''}, opened by its ${destination.via}`,
)
console.log(`\n  registers    ${registers.map(({ name }) => name).join(' ')}`)
console.log(`  source       ${hex(before)}`)
console.log(`  destination  ${hex(await readRegisters(destination))}\n`)

const report = await migrate({ from: source, to: destination, onProgress: printArcs })
const after = await readRegisters(destination)
const equal = hex(after) === hex(before)

console.log(
  `\n  destination  ${hex(after)}  ${equal ? 'as the source had them' : 'NOT as the source had them'}`,
)
console.log(
  `\n${report.bytes} bytes of device state moved, ${report.precopyBytes} of them while the source was running.`,
)
console.log(
  `Downtime ${report.downtimeMs.toFixed(1)} ms, first arc to the destination's RUNNING ${report.totalMs.toFixed(1)} ms.`,
)
console.log(
  'On an emulated CPU nearly all of that is Node warming up: the arcs are the kernel and the device.',
)
const { source: left, destination: taken } = pairOf(report)
console.log(`The source is in ${left.state ?? '?'}, the destination in ${taken.state ?? '?'}.`)
process.exitCode = equal ? 0 : 1
