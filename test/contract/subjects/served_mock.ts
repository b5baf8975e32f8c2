// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { DeviceCalls } from '#lib/backend/seam.js'
import { MockDevice, openRemoteMock, serveMock, type MockOptions } from 'vfio-migrate/mock'
import { secondFd } from '../subject.ts'
import type { Command, Control, Controls, Handle, Held, Setup, Subject } from '../subject.ts'
import { questionWaits } from './mock.ts'

/** A flavour, as the kernel has it whose drivers all migrate. */
export interface ServedKind {
  readonly flavour: 'mlx5' | 'virtio' | 'hisi_acc' | 'qat' | 'pds' | 'xe' | 'mtty'
  readonly flags: number
  readonly logging: boolean
}

/** What another holder of the device is asked is asked of the host, which has it too. */
function controlsOf(mock: MockDevice, open: () => Promise<DeviceCalls>): Partial<Controls> {
  const now = (act: () => void): Promise<void> => {
    act()
    return Promise.resolve()
  }
  const another = (): ReturnType<typeof secondFd> => secondFd(mock.open().calls)
  return {
    failStatus: (on, status, nth) => now(() => mock.inject({ on, status, nth })),
    failErrno: (on, errno, nth) => now(() => mock.inject({ on, errno, nth })),
    hold: command => Promise.resolve(hold(mock, command)),
    questionWaits: () => questionWaits(mock),
    dirty: pages => now(() => mock.step(pages)),
    detach: () => mock.detach(),
    attach: () => now(() => mock.attach()),
    digest: () => Promise.resolve(mock.digest()),
    poll: () => Promise.resolve(mock.poll() ?? 0),
    another: () => Promise.resolve(another()),
    reopen: open,
  }
}

function hold(mock: MockDevice, command: Command): Held {
  const begun = (): number =>
    mock.history.filter(event => event.kind === 'command' && event.command === command).length
  const before = begun()
  mock.inject({ on: command, hold: true })
  return {
    async reached() {
      while (begun() === before) await turn()
    },
    release() {
      mock.releaseHeld()
      return Promise.resolve()
    },
  }
}

function optionsOf({ flavour, flags, logging }: ServedKind, setup: Setup): MockOptions {
  const { sizeKiB = 64, chunkBytes } = setup
  const isSized = flavour === 'mlx5' || flavour === 'virtio' || flavour === 'xe'
  return {
    flavour,
    capabilities: { p2p: (flags & 2) !== 0, preCopy: (flags & 4) !== 0, dmaLogging: logging },
    ...(isSized && { size: sizeKiB * 1024 }),
    ...(chunkBytes !== undefined && { chunkSize: chunkBytes }),
  }
}

async function openServed(path: string, kind: ServedKind, setup: Setup): Promise<Handle> {
  const mock = new MockDevice(optionsOf(kind, setup))
  const server = await serveMock(mock, path, { dies: 'with-client' })
  const open = async (): Promise<DeviceCalls> => (await openRemoteMock(path)).calls
  return {
    calls: await open(),
    controls: controlsOf(mock, open),
    async dispose() {
      mock.releaseHeld()
      await server.close()
    },
  }
}

const firmware: readonly Control[] = [
  ...(['failStatus', 'failErrno', 'hold', 'questionWaits', 'dirty', 'detach', 'attach'] as const),
  ...(['image', 'chunks'] as const),
]
const everywhere: readonly Control[] = ['another', 'reopen', 'digest', 'poll', 'regions']
/** Of a mock in this process they are asked. */
const elsewhere: readonly Control[] = ['raw', 'rawDevice', 'dma', 'breakLog', 'reinit', 'recoverAdapter']
const unasked: readonly Control[] = [...elsewhere, 'setReadOnly', 'setWithoutFd']

/** A device as another process has it: every call goes through a socket. */
export function servedMock(kind: ServedKind): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-mock-'))
  let opened = 0
  return {
    ...kind,
    kernel: '7.2',
    title: `a served mock of ${kind.flavour}`,
    real: undefined,
    controls: new Set([...everywhere, ...(kind.flavour === 'mlx5' ? firmware : [])]),
    lacks: new Set(unasked),
    open: setup => openServed(join(directory, String(opened++)), kind, setup),
    close() {
      rmSync(directory, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
}
