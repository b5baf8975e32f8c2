// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import type { Region } from '../device/regions.ts'

/** Where in which BAR something of MSI-X is. */
export interface MsixPlace {
  readonly bar: number
  readonly offset: number
}

/** The MSI-X capability of a function, as far as it cannot be changed. */
export interface MsixLayout {
  readonly vectors: number
  readonly table: MsixPlace
  readonly pendingBits: MsixPlace
}

/** What whoever drives a function has set in its config space, and what that only fits. */
export interface PciConfig {
  /** Of the command register: I/O, memory, bus mastering, INTx off. */
  readonly command: number
  /** The six base address registers. */
  readonly bars: readonly number[]
  /** How large the regions behind them are. */
  readonly barBytes: readonly number[]
  /** Null where the function has no MSI-X. */
  readonly msix: MsixLayout | null
}

/** Offsets in config space. Source: include/uapi/linux/pci_regs.h. */
const at = { command: 0x04, status: 0x06, bars: 0x10, capabilities: 0x34 } as const
const headerBytes = 64
const hasCapabilities = 0x10
const msixCapability = { id: 0x11, bytes: 12 } as const
/** I/O, memory, bus mastering, INTx off: the rest is about errors, and the host's. */
const commandBits = 0x407

export const barCount = 6
const configIndex = 7

/**
 * Config space is answered by the kernel's VFIO core, from memory of its own and config cycles: BARs, where the device
 * itself is, are not touched. So it may be accessed in every state, as is needed where a state has been restored and must
 * not run yet.
 */
const force = true

/** Undefined for a device that has no config space. */
export async function readPciConfig(device: Device): Promise<PciConfig | undefined> {
  const config = configSpace(device)
  if (config === undefined) return undefined
  const header = viewOf(await config.read(0, headerBytes, { width: 4, force }))
  return {
    command: header.getUint16(at.command, true) & commandBits,
    bars: barNumbers.map(bar => header.getUint32(at.bars + 4 * bar, true)),
    barBytes: barNumbers.map(bar => device.regions.find(({ index }) => index === bar)?.size ?? 0),
    msix: await readMsix(config, header),
  }
}

/**
 * Puts BARs and command register back. In VFIO the BARs are the kernel's memory and the bits of the command register the
 * function's own, so each is written and read again.
 * @throws Error where the function is of another layout than the saved one, or does not take what is written.
 */
export async function restorePciConfig(device: Device, saved: PciConfig): Promise<void> {
  const config = configSpace(device)
  const found = await readPciConfig(device)
  if (config === undefined || found === undefined) {
    throw new Error(`'${device.name}' has no config space, and the source has one`)
  }
  checkLayout(device.name, saved, found)
  for (const bar of barNumbers) {
    const value = saved.bars[bar] ?? 0
    if (value !== found.bars[bar])
      await config.write(at.bars + 4 * bar, bytesOf(value, 4), { width: 4, force })
  }
  await writeCommand(config, saved.command)
  checkTaken(device.name, saved, await readPciConfig(device))
}

const barNumbers: readonly number[] = Array.from({ length: barCount }, (_, bar) => bar)

function configSpace(device: Device): Region | undefined {
  return device.regions.find(({ index, size }) => index === configIndex && size >= headerBytes)
}

/** The other bits stay as this host has them. */
async function writeCommand(config: Region, command: number): Promise<void> {
  const before = viewOf(await config.read(at.command, 2, { width: 2, force })).getUint16(0, true)
  const after = (before & ~commandBits) | command
  if (after !== before) await config.write(at.command, bytesOf(after, 2), { width: 2, force })
}

async function readMsix(config: Region, header: DataView): Promise<MsixLayout | null> {
  if ((header.getUint16(at.status, true) & hasCapabilities) === 0) return null
  let next = header.getUint8(at.capabilities)
  // Capabilities lie behind the header, 4 bytes apart at least: a longer list goes in circles.
  for (let left = (256 - headerBytes) / 4; left > 0; left--) {
    const offset = next & ~3
    if (offset < headerBytes || offset + msixCapability.bytes > config.size) return null
    const capability = viewOf(await config.read(offset, msixCapability.bytes, { width: 4, force }))
    if (capability.getUint8(0) === msixCapability.id) return msixLayout(capability)
    next = capability.getUint8(1)
  }
  return null
}

function msixLayout(capability: DataView): MsixLayout {
  return {
    vectors: (capability.getUint16(2, true) & 0x7ff) + 1,
    table: msixPlace(capability.getUint32(4, true)),
    pendingBits: msixPlace(capability.getUint32(8, true)),
  }
}

function msixPlace(value: number): MsixPlace {
  return { bar: value & 7, offset: (value & ~7) >>> 0 }
}

function checkLayout(name: string, saved: PciConfig, found: PciConfig): void {
  for (const bar of barNumbers) {
    const [here, there] = [found.barBytes[bar] ?? 0, saved.barBytes[bar] ?? 0]
    if (here !== there)
      throw new Error(`BAR ${bar} of '${name}' has ${here} bytes, that of the source ${there}`)
  }
  const [here, there] = [msixText(found.msix), msixText(saved.msix)]
  if (here !== there) throw new Error(`'${name}' has ${here}, the source has ${there}`)
}

function msixText(msix: MsixLayout | null): string {
  if (msix === null) return 'no MSI-X'
  const { vectors, table, pendingBits } = msix
  return `${vectors} MSI-X vectors with the table at ${placeText(table)} and the pending bits at ${placeText(pendingBits)}`
}

function placeText({ bar, offset }: MsixPlace): string {
  return `0x${offset.toString(16)} of BAR ${bar}`
}

function checkTaken(name: string, saved: PciConfig, now: PciConfig | undefined): void {
  const wrong = barNumbers.find(bar => now?.bars[bar] !== saved.bars[bar])
  const [what, here, there] =
    wrong === undefined
      ? ['command register', now?.command, saved.command]
      : [`BAR ${wrong}`, now?.bars[wrong], saved.bars[wrong]]
  if (here === there) return
  throw new Error(
    `the ${what} of '${name}' is 0x${here?.toString(16)} after 0x${there?.toString(16)} was written to it`,
  )
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Little endian, as config space is. */
function bytesOf(value: number, length: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(length)
  const view = viewOf(bytes)
  if (length === 2) view.setUint16(0, value, true)
  else view.setUint32(0, value, true)
  return bytes
}
