// SPDX-License-Identifier: Apache-2.0
import type { Device } from '#lib/index.js'
import type { PortState } from './mtty_stream.ts'

/** Registers of a 16550 as mtty has them, one BAR a port. An access of 4 bytes would touch one register only. */
const register = { data: 0, lineStatus: 5, scratch: 7 } as const
const dataReady = 1

/** Writes the scratch register, and bytes that mtty loops back into its fifo. */
export async function writePort(
  device: Device,
  port: number,
  { scratch = 0, fifo = [] }: PortState,
): Promise<void> {
  const bar = device.regions[port]
  await bar?.write(register.scratch, Uint8Array.of(scratch))
  for (const byte of fifo) await bar?.write(register.data, Uint8Array.of(byte))
}

/** Reads both back; what is in the fifo is taken out of it. */
export async function readPort(device: Device, port: number): Promise<PortState> {
  const read = async (offset: number): Promise<number> =>
    (await device.regions[port]?.read(offset, 1))?.[0] ?? NaN
  const scratch = await read(register.scratch)
  const fifo: number[] = []
  while (((await read(register.lineStatus)) & dataReady) !== 0) fifo.push(await read(register.data))
  return { scratch, fifo }
}
