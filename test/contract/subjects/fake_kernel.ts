// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openSync } from 'node:fs'
import { addon } from '../../native/preloaded/addon.ts'
import { kernel } from '../../native/preloaded/kernel.ts'
import type { DeviceCalls, OpenAnswer } from '#lib/backend/seam.js'
import { errnoNumber, type Errno } from '../numbers.ts'
import { secondFd } from '../subject.ts'
import type { Command, Control, Controls, Handle, Held, Setup, Subject } from '../subject.ts'

/** One kind of device of the fake kernel. */
export interface FakeKind {
  readonly flavour: 'mlx5' | 'mtty' | 'none'
  readonly kernel: '6.12' | '7.2'
  readonly flags: number
  readonly logging: boolean
}

/** 80 bytes of header before the pages: docs/firmware-model.md. */
const imageHeader = 80
const pageBytes = 4096
const mttyBytes = 60

const firmwareControls: readonly Control[] = [
  'failStatus',
  'failErrno',
  'hold',
  'questionWaits',
  'dirty',
  'detach',
  'attach',
  'image',
]

/** The devices of the fake kernel that rules use; one may have some of them at once. */
const taken = new Set<number>()

function take(): number {
  const index = [0, 1, 2, 3].find(free => !taken.has(free)) ?? assert.fail('a rule has four devices at most')
  if (taken.size === 0) {
    kernel.tell('forget')
    kernel.tell('reset')
  }
  taken.add(index)
  return index
}

function give(index: number): void {
  taken.delete(index)
  if (taken.size > 0) return
  assert.deepEqual(kernel.lines('MISMATCH'), [])
  assert.deepEqual(kernel.files(), [])
}

const opened = ({ result, step, calls }: OpenAnswer) => {
  assert.equal(result, 0, step)
  return calls ?? assert.fail(step)
}

const openCdev = async (index: number) =>
  opened(await addon.openCdev(`/dev/vfio/devices/vfio${index}`, '/dev/iommu', undefined))

/** As another process would hand it over. */
const adoptAnother = (index: number) => opened(addon.adopt(openSync(`/dev/vfio-fake/lent${index}`, 'r+'), {}))

/** A SAVE is asynchronous: it is in flight until it is told to be complete. */
function holdSave(index: number): Held {
  kernel.set(index, { autosave: false })
  const before = kernel.lines(`SAVE ${index}`).length
  return {
    reached: () => kernel.until(`SAVE ${index}`, before + 1),
    release() {
      kernel.set(index, { autosave: true })
      kernel.tell(`complete ${index}`)
      return Promise.resolve()
    },
  }
}

function holdCommand(index: number, command: Command): Held {
  const line = `held ${command} ${index}`
  const before = kernel.lines(line).length
  kernel.hold(index, command)
  return {
    reached: () => kernel.until(line, before + 1),
    release() {
      kernel.release(command)
      return Promise.resolve()
    },
  }
}

function controlsOf(index: number): Partial<Controls> {
  const tell = async (command: string): Promise<void> => {
    kernel.tell(command)
    return Promise.resolve()
  }
  return {
    failStatus: (command, status, nth = 1) => tell(`rule ${index} ${command} ${nth} status ${status}`),
    failErrno: (command, errno, nth = 1) =>
      tell(`rule ${index} ${command} ${nth} fail ${errnoNumber(errno)}`),
    hold: command => Promise.resolve(command === 'SAVE' ? holdSave(index) : holdCommand(index, command)),
    questionWaits: () => kernel.until(`waits PRECOPY_INFO ${index}`),
    dirty: pages => tell(`set ${index} dirtypages ${pages}`),
    reinit: () => tell(`set ${index} reinit 1`),
    detach: () => tell(`detach ${index} 1`),
    attach: () => tell(`detach ${index} 0`),
    async dma(pages) {
      for (let page = 0; page < pages; page++) await tell(`dirty ${index} ${page * pageBytes}`)
    },
  }
}

const tellRule = (index: number, operation: string, fault: 'after', errno: Errno): Promise<void> => {
  kernel.rule(index, operation, fault, errnoNumber(errno))
  return Promise.resolve()
}

async function openFake(kind: FakeKind, { sizeKiB = 64 }: Setup): Promise<Handle> {
  const index = take()
  const isMtty = kind.flavour === 'mtty'
  const image = imageHeader + sizeKiB * 1024
  kernel.set('*', { kernel: kind.kernel === '7.2' ? 702 : 612 })
  kernel.set(index, { model: true, mtty: isMtty, flags: kind.flags, logging: kind.logging })
  kernel.set(index, { image, datasize: isMtty ? mttyBytes : image })
  const fds: DeviceCalls[] = []
  const keep = (calls: DeviceCalls): DeviceCalls => {
    fds.push(calls)
    return calls
  }
  return {
    calls: keep(await openCdev(index)),
    controls: {
      ...controlsOf(index),
      another: () => Promise.resolve(secondFd(keep(adoptAnother(index)))),
      async setWithoutFd(state) {
        await tellRule(index, 'SET_STATE', 'after', 'EMFILE')
        const other = secondFd(keep(adoptAnother(index)))
        return await other.setState(state)
      },
      reopen: async () => keep(await openCdev(index)),
    },
    async dispose() {
      kernel.tell(`complete ${index}`)
      await Promise.all(fds.map(fd => fd.close()))
      give(index)
    },
  }
}

/** The fake kernel under the addon, as it stands for one kind of device. */
export function fakeKernel(kind: FakeKind): Subject {
  const { flavour, kernel: series, flags } = kind
  return {
    ...kind,
    title: `the fake kernel as ${flavour} on ${series}, flags ${flags}${kind.logging ? ', logging' : ''}`,
    real: undefined,
    controls: new Set<Control>([
      'another',
      'reopen',
      'setWithoutFd',
      ...(kind.logging ? (['dma'] as const) : []),
      ...(flavour === 'mlx5' ? firmwareControls : []),
      ...(flavour === 'mlx5' && series === '7.2' ? (['reinit'] as const) : []),
    ]),
    // Its fds are those of another file, its images have no contents, and its regions are scripted.
    lacks: new Set([
      'poll',
      'raw',
      'rawDevice',
      'setReadOnly',
      'digest',
      'chunks',
      'regions',
      'breakLog',
    ] as const),
    open: setup => openFake(kind, setup),
    close() {
      // A rule that was given up after its time has them still: the next subject is to find none of it.
      if (taken.size > 0) kernel.tell('forget')
      taken.clear()
      return Promise.resolve()
    },
  }
}
