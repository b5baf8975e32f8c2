// SPDX-License-Identifier: Apache-2.0
import type { Machines, Move, PairFacts, PreflightOptions, SideFacts } from '#lib/checks/preflight_facts.js'
import type { PciFacts } from '#lib/host/facts.js'
import type { HardwareFacts } from '#lib/host/hardware.js'
import type { MachineFacts } from '#lib/host/machine.js'
import type { PortFacts } from '#lib/host/port.js'

export const mebibyte = 2 ** 20
export const gibibyte = 2 ** 30

/** A port on which nothing was set. */
export const port: PortFacts = {
  index: 1,
  netdev: 'ens1f0np0',
  handle: 'pci/0000:08:00.0/32769',
  attributes: {},
  mac: undefined,
  vlan: 0,
  spoofCheck: false,
}

const pci = {
  vendor: '15b3',
  device: '101e',
  subsystemVendor: '15b3',
  subsystemDevice: '0041',
  class: '020000',
}

/** A virtual function of a ConnectX. */
export const hardware: HardwareFacts = {
  kind: 'pci',
  pci,
  mdevType: undefined,
  physfn: '0000:08:00.0',
  firmware: { version: '28.39.1002', board: 'MT_0000000838' },
  port,
}

/** A lent virtual function that runs, under mlx5_vfio_pci. */
export const source: SideFacts = {
  name: '0000:08:00.2',
  handle: 'handle of 0000:08:00.2',
  driver: 'mlx5_vfio_pci',
  mock: false,
  origin: 'lent',
  state: 'RUNNING',
  capabilities: { stopCopy: true, p2p: true, preCopy: true, dmaLogging: true },
  stateBytes: 64 * mebibyte,
  notMigratable: undefined,
  hardware,
}

/** Another one of the same physical function. */
export const destination: SideFacts = {
  ...source,
  name: '0000:08:00.3',
  handle: 'handle of 0000:08:00.3',
  origin: 'opened',
}

/** A machine with 64 GiB and no limits. */
export const machine: MachineFacts = {
  bootId: '4f6d0c3e-0d6b-4a52-a1a7-6a0d3cf9c1f5',
  release: '7.2.13',
  memory: { availableBytes: 64 * gibibyte, limits: [] },
}

/** Another machine of the kind. */
export const elsewhere: MachineFacts = { ...machine, bootId: '9a1f7d1e-3c55-4f0b-9a52-0b6f6f3f7a10' }

export interface Case {
  readonly from?: Partial<SideFacts>
  readonly to?: Partial<SideFacts>
  readonly machines?: Partial<Machines>
  readonly options?: PreflightOptions
  /** Pairs beside the one that `from` and `to` describe. */
  readonly others?: readonly PairFacts[]
}

/** A move with which nothing is the matter, but for what is given. */
export function move({ from, to, machines, options = {}, others = [] }: Case = {}): Move {
  return {
    pairs: [{ from: { ...source, ...from }, to: { ...destination, ...to } }, ...others],
    machines: { from: machine, to: machine, ...machines },
    options,
  }
}

/** The Nth further pair, of functions with other addresses. */
export function pairOf(n: number, facts: Partial<SideFacts> = {}): PairFacts {
  const [from, to] = [`0000:08:01.${n}`, `0000:08:02.${n}`]
  return {
    from: { ...source, ...facts, name: from, handle: `handle of ${from}` },
    to: { ...destination, ...facts, name: to, handle: `handle of ${to}` },
  }
}

/** The port of a function, differing from `port`. */
export function withPort(differing: Partial<PortFacts>): Pick<SideFacts, 'hardware'> {
  return { hardware: { ...hardware, port: { ...port, ...differing } } }
}

/** The ids of a function, differing from a ConnectX's. */
export function withPci(differing: Partial<PciFacts>): Pick<SideFacts, 'hardware'> {
  return { hardware: { ...hardware, pci: { ...pci, ...differing } } }
}
