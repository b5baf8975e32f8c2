// SPDX-License-Identifier: Apache-2.0
import type { SideFacts } from '#lib/checks/preflight_facts.js'
import type { MemoryLimit } from '#lib/host/memory.js'
import {
  destination,
  elsewhere,
  gibibyte,
  hardware,
  machine,
  mebibyte,
  pairOf,
  source,
  withPci,
  withPort,
  type Case,
} from './preflight_move.js'

export const noP2p = { ...source.capabilities, p2p: false }
export const noMigration = { stopCopy: false, p2p: false, preCopy: false, dmaLogging: false }
const mock: Partial<SideFacts> = { mock: true, hardware: undefined }
const mdev = { ...hardware, kind: 'mdev', pci: undefined, physfn: undefined } as const
export const logsNothing = { capabilities: { ...source.capabilities, dmaLogging: false } }
export const dmaLogging = { pageSize: 4096, ranges: [{ iova: 0n, length: 65_536n }] }
const mtty = { driver: 'mtty', stateBytes: 60 }
export const [macA, macB] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b']

function withFirmware(version: string | undefined, board = hardware.firmware.board): Partial<SideFacts> {
  return { hardware: { ...hardware, firmware: { version, board } } }
}

export function limited(freeBytes: number, file: MemoryLimit['file'] = 'memory.max', limitBytes = gibibyte) {
  const limit = { cgroup: '/job', file, limitBytes, usedBytes: limitBytes - freeBytes }
  return { ...machine, memory: { availableBytes: 64 * gibibyte, limits: [limit] } }
}

function available(availableBytes: number) {
  return { ...machine, memory: { availableBytes, limits: [] } }
}

/** By rule: what makes it apply, and what is close to that and does not. Of the second no rule may apply. */
export const cases: Readonly<Record<string, readonly { readonly does: Case; readonly doesNot: Case }[]>> = {
  'same-device': [
    {
      does: { to: { name: source.name } },
      doesNot: { to: { name: source.name }, machines: { to: elsewhere } },
    },
    { does: { to: { handle: source.handle } }, doesNot: { from: { name: 'fd:7' }, to: { name: 'fd:7' } } },
    {
      does: { from: mock, to: { ...mock, handle: source.handle } },
      doesNot: { from: mock, to: { ...mock, name: source.name } },
    },
  ],
  'apart-unproven': [
    {
      does: { from: { name: 'fd:7', state: 'STOP' }, to: { state: 'STOP' } },
      doesNot: { from: { name: 'fd:7', state: 'STOP' }, to: { state: 'RUNNING' } },
    },
    {
      does: { from: { state: 'STOP' }, to: { name: 'fd:7', state: 'STOP' } },
      doesNot: { from: { state: 'STOP' }, to: { state: 'STOP' } },
    },
    {
      does: {
        from: { ...mock, state: 'STOP' },
        to: { ...mock, name: source.name, handle: 'another', state: 'STOP' },
      },
      doesNot: {
        from: { ...mock, state: 'STOP' },
        to: { ...mock, name: 'another', handle: 'another', state: 'STOP' },
      },
    },
  ],
  'device-twice': [
    { does: { others: [{ ...pairOf(1), from: source }] }, doesNot: { others: [pairOf(1)] } },
    { does: { others: [{ ...pairOf(1), to: destination }] }, doesNot: { others: [pairOf(1)] } },
    {
      does: { others: [{ ...pairOf(1), from: destination }] },
      doesNot: {
        others: [{ ...pairOf(1), from: { ...destination, handle: 'another', origin: 'lent' } }],
        machines: { to: elsewhere },
      },
    },
  ],
  'not-migratable': [
    {
      does: { to: { capabilities: noMigration, state: undefined, notMigratable: 'It does not.' } },
      doesNot: {},
    },
  ],
  'driver-differs': [
    {
      does: { to: { driver: 'virtio_vfio_pci' } },
      doesNot: { others: [pairOf(1, { driver: 'virtio_vfio_pci' })] },
    },
  ],
  'source-state': [
    { does: { from: { state: 'PRE_COPY' } }, doesNot: { from: { state: 'RUNNING_P2P' } } },
    { does: { from: { state: 'STOP_COPY' } }, doesNot: { from: { state: 'STOP' } } },
    { does: { from: { state: 'ERROR' } }, doesNot: { from: { state: 'RUNNING' } } },
    { does: { from: { state: 'RESUMING' } }, doesNot: {} },
  ],
  'destination-state': [
    { does: { to: { state: 'PRE_COPY_P2P' } }, doesNot: { to: { state: 'RUNNING_P2P' } } },
    { does: { to: { state: 'RESUMING' } }, doesNot: { to: { state: 'STOP' } } },
  ],
  'no-dma-logging': [
    {
      does: { from: logsNothing, options: { dmaLogging } },
      doesNot: { from: logsNothing },
    },
    {
      does: { from: logsNothing, others: [pairOf(1)], options: { dmaLogging } },
      doesNot: { to: logsNothing, others: [pairOf(1)], options: { dmaLogging } },
    },
  ],
  'blank-source': [
    { does: { from: { origin: 'opened' } }, doesNot: { from: { ...mock, origin: 'opened' }, to: mock } },
    { does: { from: { origin: 'opened' } }, doesNot: { from: { origin: 'opened', hardware: mdev } } },
  ],
  'mock-and-real': [{ does: { to: mock }, doesNot: { from: mock, to: mock } }],
  'vendor-differs': [{ does: { to: withPci({ vendor: '1af4' }) }, doesNot: { to: { hardware: undefined } } }],
  'device-differs': [{ does: { to: withPci({ device: '1018' }) }, doesNot: { to: withPci({ device: '' }) } }],
  'subsystem-differs': [
    { does: { to: withPci({ subsystemDevice: '0042' }) }, doesNot: { to: withPci({ subsystemDevice: '' }) } },
    { does: { to: withPci({ subsystemVendor: '103c' }) }, doesNot: { to: withPci({}) } },
  ],
  'class-differs': [
    { does: { to: withPci({ class: '020700' }) }, doesNot: { to: withPci({ class: '020000' }) } },
  ],
  'mdev-type-differs': [
    {
      does: {
        from: { ...mtty, hardware: { ...mdev, mdevType: 'mtty-1' } },
        to: { ...mtty, hardware: { ...mdev, mdevType: 'mtty-2' } },
      },
      doesNot: {
        from: { ...mtty, hardware: { ...mdev, mdevType: 'mtty-1' } },
        to: { ...mtty, hardware: { ...mdev, mdevType: 'mtty-1' } },
      },
    },
  ],
  'board-differs': [
    {
      does: { to: withFirmware('28.39.1002', 'MT_0000000359') },
      doesNot: { to: { hardware: { ...hardware, firmware: { version: undefined, board: undefined } } } },
    },
  ],
  'firmware-differs': [
    { does: { to: withFirmware('28.40.1000') }, doesNot: { to: withFirmware(undefined) } },
  ],
  'attributes-differ': [
    {
      does: {
        from: withPort({ attributes: { roce: 'enable' } }),
        to: withPort({ attributes: { roce: 'disable' } }),
      },
      doesNot: { from: withPort({ attributes: { roce: 'enable' } }), to: withPort({ attributes: {} }) },
    },
    {
      does: {
        from: withPort({ attributes: { max_io_eqs: '8' } }),
        to: withPort({ attributes: { max_io_eqs: '4' } }),
      },
      doesNot: {
        from: withPort({ attributes: { state: 'active' } }),
        to: withPort({ attributes: { state: 'inactive' } }),
      },
    },
  ],
  'kernel-differs': [
    {
      does: { machines: { to: { ...elsewhere, release: '6.12.107' } } },
      doesNot: { machines: { to: elsewhere } },
    },
  ],
  'kernel-early': [
    {
      does: { machines: { from: { ...machine, release: '6.6.1' }, to: { ...machine, release: '6.6.1' } } },
      doesNot: { machines: { from: { ...machine, release: '6.7.0' }, to: { ...machine, release: '6.7.0' } } },
    },
  ],
  'driver-unknown': [
    { does: { from: { driver: 'nvmx_vfio_pci' }, to: { driver: 'nvmx_vfio_pci' } }, doesNot: {} },
    {
      does: { to: { driver: undefined } },
      doesNot: { from: { driver: 'pds_vfio_pci' }, to: { driver: 'pds_vfio_pci' } },
    },
  ],
  'too-large-for-precopy': [
    { does: { from: { stateBytes: 2 ** 32 } }, doesNot: { from: { stateBytes: 2 ** 32 - 4096 } } },
    { does: { from: { stateBytes: 2 ** 32 } }, doesNot: { from: { stateBytes: 2 ** 32, state: 'STOP' } } },
    {
      does: { from: { stateBytes: 2 ** 32, state: 'RUNNING_P2P' } },
      doesNot: { from: { stateBytes: 2 ** 32, capabilities: { ...source.capabilities, preCopy: false } } },
    },
  ],
  'size-unknown': [{ does: { from: { stateBytes: undefined } }, doesNot: { to: { stateBytes: undefined } } }],
  // 64 MiB of state: 140.8 MiB at the source, 70.4 MiB at the destination, 211.2 MiB where both are in one cgroup.
  'kernel-memory': [
    {
      does: { machines: { from: limited(211 * mebibyte), to: limited(211 * mebibyte) } },
      doesNot: { machines: { from: limited(212 * mebibyte), to: limited(212 * mebibyte) } },
    },
    {
      does: { machines: { from: limited(140 * mebibyte), to: elsewhere } },
      doesNot: { machines: { from: limited(141 * mebibyte), to: elsewhere } },
    },
    {
      does: { machines: { from: elsewhere, to: limited(70 * mebibyte) } },
      doesNot: { machines: { from: elsewhere, to: limited(71 * mebibyte) } },
    },
    {
      does: { machines: { from: limited(0, 'memory.limit_in_bytes') } },
      doesNot: { from: mock, to: mock, machines: { from: limited(0), to: limited(0) } },
    },
    {
      does: { machines: { from: available(211 * mebibyte), to: available(211 * mebibyte) } },
      doesNot: { machines: { from: available(212 * mebibyte), to: available(212 * mebibyte) } },
    },
    // Two containers of one machine, each of which calls its cgroup by one name.
    {
      does: {
        machines: { from: limited(140 * mebibyte), to: limited(71 * mebibyte, 'memory.max', 2 * gibibyte) },
      },
      doesNot: {
        machines: { from: limited(141 * mebibyte), to: limited(71 * mebibyte, 'memory.max', 2 * gibibyte) },
      },
    },
    // Of a set, the sum.
    {
      does: { others: [pairOf(1)], machines: { from: limited(281 * mebibyte), to: elsewhere } },
      doesNot: { others: [pairOf(1)], machines: { from: limited(282 * mebibyte), to: elsewhere } },
    },
  ],
  'kernel-memory-slow': [
    {
      does: { machines: { from: limited(140 * mebibyte, 'memory.high'), to: elsewhere } },
      doesNot: { machines: { from: limited(141 * mebibyte, 'memory.high'), to: elsewhere } },
    },
  ],
  'set-without-p2p': [
    {
      does: { from: { capabilities: noP2p }, others: [pairOf(1)] },
      doesNot: { from: { capabilities: noP2p }, others: [pairOf(1)], options: { noP2pDma: true } },
    },
    {
      does: { to: { capabilities: noP2p }, others: [pairOf(1)] },
      doesNot: { from: { capabilities: noP2p } },
    },
  ],
  'too-many-of-one-pf': [
    // Both sides of a pair are on one physical function: three pairs are six devices of it.
    { does: { others: [pairOf(1), pairOf(2)] }, doesNot: { others: [pairOf(1)] } },
    {
      does: { options: { perPfLimit: 1 } },
      doesNot: { machines: { to: elsewhere }, options: { perPfLimit: 1 } },
    },
    {
      does: { others: [pairOf(1)], options: { perPfLimit: 3 } },
      doesNot: { others: [pairOf(1)], machines: { to: elsewhere }, options: { perPfLimit: 2 } },
    },
    {
      does: { to: { hardware: undefined }, others: elsewherePairs(4) },
      doesNot: { to: { hardware: undefined }, others: elsewherePairs(3) },
    },
    {
      does: { to: { hardware: undefined }, others: elsewherePairs(1), options: { perPfLimit: 1 } },
      doesNot: { to: { hardware: undefined }, others: elsewherePairs(4), options: { perPfLimit: 5 } },
    },
  ],
  'spoof-check': [
    {
      does: { from: withPort({ mac: macA }), to: withPort({ mac: macB, spoofCheck: true }) },
      doesNot: { from: withPort({ mac: macA }), to: withPort({ spoofCheck: true }) },
    },
  ],
  'mac-differs': [
    {
      does: { from: withPort({ mac: macA }), to: withPort({ mac: macB }) },
      doesNot: { from: withPort({ mac: macA }), to: withPort({}) },
    },
  ],
  'mac-twice': [
    {
      does: { from: withPort({ mac: macA }), to: withPort({ mac: macA }) },
      doesNot: { from: withPort({ mac: macA }), to: withPort({ mac: macA }), machines: { to: elsewhere } },
    },
  ],
  'vlan-differs': [
    { does: { to: withPort({ vlan: 100 }) }, doesNot: { to: withPort({ vlan: undefined }) } },
    {
      does: { from: withPort({ vlan: 100 }) },
      doesNot: { from: withPort({ vlan: 100 }), to: withPort({ vlan: 100 }) },
    },
  ],
}

/** Further pairs whose destinations are of a physical function that nothing tells of. */
export function elsewherePairs(count: number) {
  return Array.from({ length: count }, (_, n) => {
    const { from, to } = pairOf(n)
    return { from, to: { ...to, hardware: undefined } }
  })
}
