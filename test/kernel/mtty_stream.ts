// SPDX-License-Identifier: Apache-2.0
import type { MttyType } from './mtty.ts'

/*
 * What mtty gives out, byte for byte, by samples/vfio-mdev/mtty.c (struct mtty_data, in the machine's byte order):
 * a header of 24 bytes, which alone is there in PRE_COPY, then 36 bytes a port.
 */

/** What a test writes into one port. */
export interface PortState {
  /** The scratch register, offset 7: any byte stays there. */
  readonly scratch?: number
  /** Bytes in the loopback fifo: what was written to offset 0 and not yet read from it. */
  readonly fifo?: readonly number[]
}

const portsOf = { 'mtty-1': 1, 'mtty-2': 2 } as const

/** Magic, version 1.0, the number of ports, no flags. */
export function headerOf(type: MttyType): Buffer {
  return Buffer.from(
    `4e2c3e8c89099d7e 01000000 00000000 0${portsOf[type]}000000 00000000`.replaceAll(' ', ''),
    'hex',
  )
}

/** A port that a test has touched in no other way. */
function portOf({ scratch = 0, fifo = [] }: PortState): Buffer {
  const port = Buffer.alloc(36)
  port[7] = scratch
  port.set(fifo, 8)
  port[24] = fifo.length // head
  port[26] = fifo.length // count
  port[33] = 16 // max_fifo
  return port
}

/** The whole stream. */
export function streamOf(type: MttyType, ports: readonly PortState[] = []): Buffer {
  const states = Array.from({ length: portsOf[type] }, (_, index) => portOf(ports[index] ?? {}))
  return Buffer.concat([headerOf(type), ...states])
}
