// SPDX-License-Identifier: Apache-2.0
import { layoutOf, type Values } from './layout.ts'

/** struct serial_port of samples/vfio-mdev/mtty.c: a port in the stream, and in the device. */
export const portBytes = 36

const fifoBytes = 16
const fifoAt = 8
const fields = {
  interruptEnable: [1, 'u8'],
  lineControl: [3, 'u8'],
  modemControl: [4, 'u8'],
  scratch: [7, 'u8'],
  head: [24, 'u8'],
  tail: [25, 'u8'],
  count: [26, 'u8'],
  isDivisor: [27, 'u8'],
  overrun: [28, 'u8'],
  divisor: [30, 'u16'],
  fifoControl: [32, 'u8'],
  maxFifo: [33, 'u8'],
  trigger: [34, 'u8'],
} as const
const layout = layoutOf(fields)

type PortState = Values<typeof fields>

/** Bits of a 16550's registers, as in linux/serial_reg.h. */
const ier = { data: 1, empty: 2, line: 4, modem: 8 } as const
const iir = { none: 1, empty: 2, data: 4, line: 6, is16550: 0xc0 } as const
const fcr = { enable: 1, clear: 6 } as const
const mcr = { terminalAndRequest: 3, autoFlow: 0x20 } as const
const lsr = { dataReady: 1, overrun: 2, transmitterEmpty: 0x60 } as const
const msr = { present: 0xa2, clearToSend: 0x11 } as const
const divisorLatch = 0x80

/**
 * One serial port of mtty: a 16550 whose transmitter is looped back into its fifo. Like there, an access of any width
 * touches one register, and head and tail are taken out of a stream as they are, but for the bits that index the fifo.
 */
export class MttyPort {
  readonly bytes: Buffer = Buffer.alloc(portBytes)

  constructor() {
    this.#set({ maxFifo: fifoBytes })
  }

  /** Where the bytes are that were looped back. */
  get fifo(): Buffer {
    return this.bytes.subarray(fifoAt, fifoAt + fifoBytes)
  }

  read(register: number): number {
    const port = layout.read(this.bytes)
    return reads[register]?.(port, this) ?? 0
  }

  write(register: number, value: number): void {
    const change = writes[register]?.(layout.read(this.bytes), value, this)
    if (change !== undefined) this.#set(change)
  }

  /** Takes a byte out of the fifo. */
  take({ head, tail, count }: PortState): number {
    if (head === tail) return 0
    this.#set({ tail: next(tail), count: (count - 1) & 0xff })
    return this.fifo[tail % fifoBytes] ?? 0
  }

  #set(values: Partial<PortState>): void {
    layout.write(this.bytes, values)
  }
}

const next = (index: number): number => (index + 1) % fifoBytes

type Read = (port: PortState, self: MttyPort) => number

const reads: readonly Read[] = [
  (port, self) => (port.isDivisor ? port.divisor & 0xff : self.take(port)),
  port => (port.isDivisor ? port.divisor >> 8 : port.interruptEnable & 0xf),
  interrupt,
  port => port.lineControl,
  port => port.modemControl,
  ({ head, tail, overrun }) =>
    (head === tail ? lsr.transmitterEmpty : lsr.dataReady) | (overrun ? lsr.overrun : 0),
  ({ modemControl, count, maxFifo }) =>
    msr.present | ((modemControl & mcr.autoFlow) === 0 || count < maxFifo ? msr.clearToSend : 0),
  port => port.scratch,
]

/** What would interrupt now. A modem's change has no bit of its own. */
function interrupt({ interruptEnable, overrun, count, trigger, head, tail }: PortState): number {
  const wants = (bit: number): boolean => (interruptEnable & bit) !== 0
  const pending =
    (wants(ier.line) && overrun ? iir.line : 0) |
    (wants(ier.data) && count >= trigger ? iir.data : 0) |
    (wants(ier.empty) && head === tail ? iir.empty : 0)
  return (pending || iir.none) | iir.is16550
}

type Write = (port: PortState, value: number, self: MttyPort) => Partial<PortState> | undefined

const writes: readonly (Write | undefined)[] = [
  transmit,
  (port, value) => (port.isDivisor ? { divisor: port.divisor | (value << 8) } : { interruptEnable: value }),
  (_, value) => ({
    fifoControl: value,
    ...((value & fcr.clear) !== 0 && { head: 0, tail: 0, count: 0 }),
    maxFifo: (value & fcr.enable) === 0 ? 1 : fifoBytes,
    trigger: 1,
  }),
  (_, value) =>
    (value & divisorLatch) === 0
      ? { lineControl: value, isDivisor: 0 }
      : { lineControl: value, isDivisor: 1, divisor: 0 },
  (_, value) => ({ modemControl: value }),
  undefined,
  undefined,
  (_, value) => ({ scratch: value }),
]

function transmit(port: PortState, value: number, self: MttyPort): Partial<PortState> {
  if (port.isDivisor) return { divisor: port.divisor | value }
  if (port.count >= port.maxFifo) return { overrun: 1 }
  self.fifo[port.head % fifoBytes] = value
  return { head: next(port.head), count: port.count + 1, overrun: 0 }
}
