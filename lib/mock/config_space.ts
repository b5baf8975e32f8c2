// SPDX-License-Identifier: Apache-2.0

export const configBytes = 256

/** Bits of the command register, at offset 4. */
export const command = { offset: 4, memory: 0x2, busMaster: 0x4, intxDisable: 0x400 } as const

/** The MSI-X table in BAR 0. */
export const msixVectors = 8
export const barBytes = 4096

const capabilityAt = 0x60
const pendingBitsAt = 0x800

/** What stands where when the function is opened, and which of its bits a write changes. */
type Register = readonly [offset: number, bytes: 1 | 2 | 4, value: number, writable: number]

/**
 * What vfio-pci shows of a virtual function: ids of its own, memory always enabled at first, BARs and the interrupt line
 * kept for the user, the MSI-X capability read-only (vectors are enabled by VFIO_DEVICE_SET_IRQS), nothing behind it.
 * Source: vfio_config_init(), init_pci_cap_basic_perm() and cap_perms in drivers/vfio/pci/vfio_pci_config.c.
 */
function registersOf(vendor: number, device: number): readonly Register[] {
  const { offset, memory, busMaster, intxDisable } = command
  return [
    [0x00, 2, vendor, 0],
    [0x02, 2, device, 0],
    [offset, 2, memory, memory | busMaster | intxDisable],
    [0x06, 2, 0x0010, 0], // status: there is a list of capabilities
    [0x0b, 1, 0xff, 0], // a class of no name
    [0x10, 4, 0, ~(barBytes - 1) >>> 0],
    [0x34, 1, capabilityAt, 0],
    [0x3c, 1, 0, 0xff],
    [capabilityAt, 1, 0x11, 0], // MSI-X, and the last one
    [capabilityAt + 2, 2, msixVectors - 1, 0],
    [capabilityAt + 4, 4, 0, 0], // the table: at 0 in BAR 0
    [capabilityAt + 8, 4, pendingBitsAt, 0],
  ]
}

/** The config space of a virtual function, as vfio-pci gives it to whoever drives the function. */
export class ConfigSpace {
  readonly #fresh = new Uint8Array(configBytes)
  readonly #writable = new Uint8Array(configBytes)
  readonly #bytes = new Uint8Array(configBytes)

  /** `id` is `vendor:device`, in hexadecimal. */
  constructor(id: string) {
    const [vendor = 0, device = 0] = id.split(':').map(part => Number.parseInt(part, 16))
    for (const [offset, bytes, value, writable] of registersOf(vendor, device)) {
      for (let i = 0; i < bytes; i++) {
        this.#fresh[offset + i] = value >>> (8 * i)
        this.#writable[offset + i] = writable >>> (8 * i)
      }
    }
    this.renew()
  }

  get isMemoryEnabled(): boolean {
    return ((this.#bytes[command.offset] ?? 0) & command.memory) !== 0
  }

  /** What an open finds. A reset changes nothing here: the kernel saves config space before it, and restores it. */
  renew(): void {
    this.#bytes.set(this.#fresh)
  }

  read(at: number, into: Uint8Array): void {
    into.set(this.#bytes.subarray(at, at + into.length))
  }

  /** Bits that cannot be written stay, without an error. */
  write(at: number, from: Uint8Array): void {
    for (const [index, byte] of from.entries()) {
      const mask = this.#writable[at + index] ?? 0
      this.#bytes[at + index] = ((this.#bytes[at + index] ?? 0) & ~mask) | (byte & mask)
    }
  }
}
