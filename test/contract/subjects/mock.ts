// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { DeviceCalls } from '#lib/backend/seam.js'
import { MockDevice, VirtualClock, type MockOptions } from '#lib/mock/index.js'
import { secondFd } from '../subject.ts'
import type {
  Command,
  Control,
  Controls,
  Flavour,
  Handle,
  Held,
  KernelSeries,
  Setup,
  Subject,
} from '../subject.ts'

/** One kind of mock. */
export interface MockKind {
  readonly flavour: Exclude<Flavour, 'none' | 'other'>
  readonly kernel: KernelSeries
  readonly flags: number
  readonly logging: boolean
}

const sizeKiB = 64

/** Flavours whose state may have any size. */
const sized: ReadonlySet<Flavour> = new Set(['mlx5', 'virtio', 'xe'])

/** The command has begun, and had every chance to be held. */
function holdCommand(mock: MockDevice, command: Command): Held {
  const begun = (): number =>
    mock.history.filter(event => event.kind === 'command' && event.command === command).length
  const before = begun()
  mock.inject({ on: command, hold: true })
  return {
    async reached() {
      while (begun() === before) await turn()
      await turn()
    },
    release() {
      mock.releaseHeld()
      return Promise.resolve()
    },
  }
}

/** The question was asked, is not answered, and has had every chance to be. */
export async function questionWaits(mock: MockDevice): Promise<void> {
  const count = (kind: 'call' | 'answer'): number =>
    mock.history.filter(event => event.kind === kind && event.call === 'precopyInfo').length
  while (count('call') === count('answer')) await turn()
  await turn()
  assert.notEqual(count('call'), count('answer'))
}

function controlsOf(mock: MockDevice, open: () => DeviceCalls): Partial<Controls> {
  const setAtFault = async (state: number, errno: 'EMFILE'): Promise<number> => {
    mock.inject({ on: 'INSTALL_FD', errno })
    const other = secondFd(open())
    const answer = await other.setState(state)
    await other.close()
    return answer
  }
  const now = (act: () => void): Promise<void> => {
    act()
    return Promise.resolve()
  }
  return {
    failStatus: (on, status, nth) => now(() => mock.inject({ on, status, nth })),
    failErrno: (on, errno, nth) => now(() => mock.inject({ on, errno, nth })),
    hold: command => Promise.resolve(holdCommand(mock, command)),
    questionWaits: () => questionWaits(mock),
    dirty: pages => now(() => mock.step(pages)),
    dma: pages => now(() => mock.step(pages)),
    reinit: () => now(() => mock.reinit()),
    detach: () => mock.detach(),
    attach: () => now(() => mock.attach()),
    digest: () => Promise.resolve(mock.digest()),
    poll: () => Promise.resolve(mock.poll() ?? 0),
    another: () => Promise.resolve(secondFd(open())),
    reopen: () => Promise.resolve(open()),
    setWithoutFd: state => setAtFault(state, 'EMFILE'),
    breakLog: () => now(() => mock.inject({ on: 'TRACKER' })),
    recoverAdapter: () => now(() => mock.inject({ on: 'ADAPTER_RECOVERY' })),
  }
}

function optionsOf({ flavour, kernel, flags, logging }: MockKind, setup: Setup): MockOptions {
  return {
    flavour,
    kernel,
    clock: new VirtualClock(),
    capabilities: {
      stopCopy: (flags & 1) !== 0,
      p2p: (flags & 2) !== 0,
      preCopy: (flags & 4) !== 0,
      dmaLogging: logging,
    },
    ...(sized.has(flavour) && { size: (setup.sizeKiB ?? sizeKiB) * 1024 }),
    ...(setup.chunkBytes !== undefined && { chunkSize: setup.chunkBytes }),
    ...(flavour === 'mlx5' && kernel === '7.2' && flags === 7 && { reinit: true }),
  }
}

function openMock(kind: MockKind, setup: Setup): Handle {
  const mock = new MockDevice(optionsOf(kind, setup))
  const fds: DeviceCalls[] = []
  const open = (): DeviceCalls => {
    const { calls } = mock.open() as { calls: DeviceCalls }
    fds.push(calls)
    return calls
  }
  return {
    calls: open(),
    controls: controlsOf(mock, open),
    async dispose() {
      mock.releaseHeld()
      await Promise.all(fds.map(fd => fd.close()))
    },
  }
}

const firmware: readonly Control[] = [
  ...(['failStatus', 'failErrno', 'hold', 'questionWaits', 'dirty', 'detach', 'attach'] as const),
  ...(['image', 'chunks'] as const),
]

/** A device in this process. */
export function mock(kind: MockKind): Subject {
  const { flavour, kernel, flags, logging } = kind
  const isMlx5 = flavour === 'mlx5'
  return {
    ...kind,
    flavour: flags === 0 ? 'none' : flavour,
    title: `a mock of ${flavour} on ${kernel}, flags ${flags}${logging ? ', logging' : ''}`,
    real: undefined,
    controls: new Set<Control>([
      ...(['another', 'reopen', 'digest', 'poll', 'setWithoutFd', 'regions'] as const),
      ...(isMlx5 ? firmware : []),
      ...(flavour === 'pds' ? (['recoverAdapter'] as const) : []),
      ...(isMlx5 && logging ? (['dma', 'breakLog'] as const) : []),
      ...(isMlx5 && kernel === '7.2' && flags === 7 ? (['reinit'] as const) : []),
    ]),
    lacks: new Set(['raw', 'rawDevice', 'setReadOnly'] as const),
    open: setup => Promise.resolve(openMock(kind, setup)),
  }
}
