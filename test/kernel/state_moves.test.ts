// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { pipeline } from 'node:stream/promises'
import { migrate, type Device } from '#lib/index.js'
import { pairOf } from '../unit/migration/pair.ts'
import type { MttyType } from './mtty.ts'
import { headerOf, streamOf, type PortState } from './mtty_stream.ts'
import { openPair } from './opened.ts'
import { readPort, writePort } from './uart.ts'

const states: Readonly<Record<MttyType, readonly PortState[]>> = {
  'mtty-1': [{ scratch: 0xa5, fifo: [0x01, 0x80, 0xff] }],
  'mtty-2': [
    { scratch: 0x5a, fifo: [0x10] },
    { scratch: 0xc3, fifo: [0x20, 0x30] },
  ],
}

const blank: PortState = { scratch: 0, fifo: [] }

async function readPorts(device: Device, type: MttyType): Promise<PortState[]> {
  const ports: PortState[] = []
  for (const port of states[type].keys()) ports.push(await readPort(device, port))
  return ports
}

async function writePorts(device: Device, type: MttyType): Promise<void> {
  for (const [port, state] of states[type].entries()) await writePort(device, port, state)
}

/** Everything that the device gives out on the way through `path`, read at each stop. */
async function save(device: Device, path: readonly ('PRE_COPY' | 'STOP_COPY')[]): Promise<Buffer[]> {
  const parts: Buffer[] = []
  for (const state of path) {
    await device.setState(state)
    const chunks: Buffer[] = []
    const until = state === 'PRE_COPY' ? 'idle' : 'end'
    for await (const chunk of device.savingStream.chunks({ until })) chunks.push(Buffer.from(chunk))
    parts.push(Buffer.concat(chunks))
  }
  return parts
}

async function load(device: Device, bytes: Buffer): Promise<void> {
  await device.setState('RESUMING')
  await pipeline([bytes], device.resumingStream)
  await device.setState('RUNNING')
}

for (const type of ['mtty-1', 'mtty-2'] as const) {
  describe(`the registers of ${type}`, () => {
    for (const path of [['STOP_COPY'], ['PRE_COPY', 'STOP_COPY']] as const) {
      it(`are in the stream of ${path.join(' and ')}, and in the device that it is loaded into`, async () => {
        await using pair = await openPair(type)
        const { source, destination } = pair
        await writePorts(source, type)
        const parts = await save(source, path)
        if (path.length === 2) assert.deepEqual(parts[0], headerOf(type))
        const bytes = Buffer.concat(parts)
        assert.deepEqual(bytes, streamOf(type, states[type]))
        assert.deepEqual(
          await readPorts(destination, type),
          states[type].map(() => blank),
        )
        await load(destination, bytes)
        assert.deepEqual(await readPorts(destination, type), states[type])
      })
    }

    it('are moved by migrate(), the destination runs and the source has stopped', async () => {
      await using pair = await openPair(type)
      const { source, destination } = pair
      await writePorts(source, type)
      const report = await migrate({ from: source, to: destination })
      console.log(
        `      ${report.totalMs.toFixed(1)} ms in all, ${report.downtimeMs.toFixed(1)} ms of them the source stood`,
      )
      assert.deepEqual([report.bytes, report.precopyBytes], [streamOf(type).length, headerOf(type).length])
      assert.deepEqual([await source.state(), await destination.state()], ['STOP', 'RUNNING'])
      const { source: left, destination: taken } = pairOf(report)
      assert.deepEqual([left.state, taken.state], ['STOP', 'RUNNING'])
      assert.deepEqual(await readPorts(destination, type), states[type])
    })
  })
}
