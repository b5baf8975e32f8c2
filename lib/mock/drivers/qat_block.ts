// SPDX-License-Identifier: Apache-2.0
import { layoutOf } from './layout.ts'
import { decodePart, encodePart, within, type Section, type Sections } from './qat_sections.ts'
import type { Registers } from './registers.ts'

/*
 * What a QAT block holds: adf_gen4_vf_mig.c of Linux 7.2, in drivers/crypto/intel/qat/qat_common. Two parts, one behind
 * the other: the setup, by which a device tells whether it can take the rest, and the state.
 * The driver's: the sections, their order, ids and lengths, and which of them a load looks at.
 * Ours: the values, and that rings 0 to 2 of bank 0 hold the state: their bases are seed, epoch and the window's address,
 * and the config of ring 2 is its vector.
 */

/** As long as a block is, whatever it holds. */
export const blockBytes = 4096

const capabilities = 0x0000_03ff
const ringToService = 0x0492
const compression = 0x0000_0001

const banks = 4
/** struct adf_bank_state: 22 registers, then 16 rings of 24 bytes. */
const bankBytes = 472
const rings = 88
const ringBytes = 24
const bank = layoutOf({
  seed: [rings, 'u64'],
  epoch: [rings + ringBytes, 'u64'],
  iova: [rings + 2 * ringBytes, 'u64'],
  vector: [rings + 2 * ringBytes + 8, 'u32'],
})

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const setup: readonly Section[] = [
  {
    id: 'CONFIG',
    holds: [
      { id: 'gencap', holds: u32(capabilities) },
      { id: 'svcmap', holds: u32(ringToService).subarray(0, 2) },
      { id: 'extdc', holds: u32(compression) },
    ],
  },
]

/** The setup of every such device. */
export function encodeSetup(): Buffer {
  return encodePart(setup)
}

/** Whether a device can take what one with that setup has saved: it can do as much, and its rings serve the same. */
export function checkSetup(part: Sections): boolean {
  const config = within(part, 'CONFIG')
  const includes = (own: number) => (mask: bigint) => (mask & ~BigInt(own)) === 0n
  const checks: readonly [string, (mask: bigint) => boolean][] = [
    ['gencap', includes(capabilities)],
    ['svcmap', mask => mask === BigInt(ringToService)],
    ['extdc', includes(compression)],
  ]
  return checks.every(([id, test]) => {
    const mask = maskOf(config?.get(id)?.bytes)
    return mask !== undefined && test(mask)
  })
}

/** Up to eight bytes, as a number. */
function maskOf(bytes: Buffer | undefined): bigint | undefined {
  if (bytes === undefined || bytes.length > 8) return undefined
  return bytes.reduceRight((mask, byte) => (mask << 8n) | BigInt(byte), 0n)
}

const interrupts = ['visrc', 'vimsk', 'vispv', 'vimpv', 'pf2vm', 'vm2pf'] as const
/** The pending ones are saved and not loaded. */
const loaded = ['vimsk', 'vimpv', 'pf2vm', 'vm2pf'] as const

/** The state of a device that holds `registers`. */
export function encodeState({ seed, epoch, window }: Registers): Buffer {
  const registers = Array.from({ length: banks }, () => Buffer.alloc(bankBytes))
  if (registers[0]) bank.write(registers[0], { seed, epoch, ...window })
  return encodePart([
    {
      id: 'GENER',
      holds: [
        { id: 'iovinit', holds: Buffer.of(1) },
        { id: 'compver', holds: Buffer.of(5) },
        { id: 'sla', holds: Buffer.alloc(0) },
      ],
    },
    { id: 'MISCBAR', holds: interrupts.map(id => ({ id, holds: u32(0) })) },
    {
      id: 'ETRBAR',
      holds: registers.map((holds, index) => ({ id: `bnk${index}`, holds: [{ id: 'mregs', holds }] })),
    },
  ])
}

/** What a state holds; undefined where something is missing that the driver looks for. */
export function decodeState(bytes: Buffer): Registers | undefined {
  const state = decodePart(bytes)
  const general = within(state, 'GENER')
  const misc = within(state, 'MISCBAR')
  const etr = within(state, 'ETRBAR')
  const lengthOf = (sections: Sections | undefined, id: string): number =>
    sections?.get(id)?.bytes.length ?? NaN
  const isGeneral = lengthOf(general, 'iovinit') === 1 && lengthOf(general, 'compver') === 1
  // A rate limit that this device does not have.
  const isUnlimited = lengthOf(general, 'sla') < slaBytes
  const isMisc = loaded.every(id => lengthOf(misc, id) === 4)
  const registers = Array.from(
    { length: banks },
    (_, index) => within(etr, `bnk${index}`)?.get('mregs')?.bytes,
  )
  if (!isGeneral || !isUnlimited || !isMisc || !registers.every(bytes => bytes !== undefined))
    return undefined
  const [first] = registers
  if (first === undefined || first.length < bankBytes) return undefined
  const { seed, epoch, iova, vector } = bank.read(first)
  return { seed, epoch, window: { iova, vector } }
}

const slaBytes = 24
