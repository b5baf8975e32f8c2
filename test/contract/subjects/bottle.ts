// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { DeviceCalls } from '#lib/backend/seam.js'
import { openByName } from '#lib/device/by_name.js'
import { openBottle, type Bottle } from '../../kernel/bottle.ts'
import { setKnob, type BottledFunction } from '../../kernel/bottled.ts'
import { questionSleeps } from '../raw/asleep.ts'
import { dataFd, inheritedFd, oddSets, pollDataFd, rawCalls, rawIoctl } from '../raw/calls.ts'
import type { Control, Controls, Handle, KernelSeries, Setup, Subject } from '../subject.ts'

/** A size that the model's rules count with. */
const sizeKiB = 64
const wholeChunk = 8 << 20

/** Its modules are loaded once, and again for functions that can do something else. */
class Bottles {
  #bottle: Bottle | undefined
  #inChunks = false
  readonly #logging: boolean
  readonly #taken = new Set<BottledFunction>()

  constructor(logging: boolean) {
    this.#logging = logging
  }

  async take(inChunks: boolean): Promise<{ bottle: Bottle; bottled: BottledFunction }> {
    if (this.#bottle === undefined || this.#inChunks !== inChunks) await this.#renew(inChunks)
    const bottle = this.#bottle ?? assert.fail('there is no bottle')
    const free = bottle.functions.find(bottled => !this.#taken.has(bottled))
    const bottled = free ?? assert.fail('all bottled functions are taken')
    this.#taken.add(bottled)
    return { bottle, bottled }
  }

  give(bottled: BottledFunction): void {
    this.#taken.delete(bottled)
  }

  async close(): Promise<void> {
    await this.#bottle?.[Symbol.asyncDispose]()
    this.#bottle = undefined
  }

  async #renew(inChunks: boolean): Promise<void> {
    assert.equal(this.#taken.size, 0, 'functions with and without chunks at once')
    await this.close()
    const capabilities = {
      migration_in_chunks: inChunks,
      migration_state: true,
      adv_virtualization: this.#logging,
    }
    this.#bottle = await openBottle({ functions: 2, capabilities })
    this.#inChunks = inChunks
  }
}

function controlsOf(bottle: Bottle, bottled: BottledFunction, calls: DeviceCalls): Partial<Controls> {
  return {
    failStatus: (command, status, nth) => bottled.fault(command, { status }, nth),
    failErrno: (command, errno, nth) => bottled.fault(command, { errno }, nth),
    async hold(command) {
      await bottled.fault(command, 'hold')
      return { reached: () => bottled.isHeld(command), release: () => bottled.release() }
    },
    questionWaits: questionSleeps,
    dirty: pages => bottled.step(pages),
    dma: pages => bottled.step(pages),
    breakLog: () => bottled.fault('TRACKER', { status: 1 }),
    reinit: () => bottled.reinit(),
    detach: () => bottle.attach(false),
    attach: () => bottle.attach(true),
    digest: async () => (await bottled.digest()).digest,
    another: () => Promise.resolve(inheritedFd(calls.fds().device)),
    poll: pollDataFd,
    raw: () => rawCalls(dataFd()),
    rawDevice: (request, bytes) => rawIoctl(calls.fds().device, request, bytes),
    ...oddSets(() => calls.fds().device),
  }
}

async function openBottled(bottles: Bottles, setup: Setup): Promise<Handle> {
  const { bottle, bottled } = await bottles.take(setup.chunkBytes !== undefined)
  await bottled.set({ size: (setup.sizeKiB ?? sizeKiB) * 1024, chunk_size: setup.chunkBytes ?? wholeChunk })
  const fds: DeviceCalls[] = []
  const open = async (): Promise<DeviceCalls> => {
    const { calls } = await openByName(bottled.address, {})
    fds.push(calls)
    return calls
  }
  const calls = await open()
  return {
    calls,
    controls: { ...controlsOf(bottle, bottled, calls), reopen: open },
    async dispose() {
      await setKnob(bottled.address, 'faults', '')
      await bottled.release()
      await Promise.all(fds.map(fd => fd.close()))
      bottles.give(bottled)
    },
  }
}

const controls: readonly Control[] = [
  ...(['failStatus', 'failErrno', 'hold', 'questionWaits', 'dirty', 'detach', 'attach'] as const),
  ...(['digest', 'image', 'chunks'] as const),
  ...(['another', 'reopen', 'poll', 'raw', 'rawDevice', 'regions', 'setWithoutFd', 'setReadOnly'] as const),
]

/** The kernel's own mlx5 driver on simulated firmware, which logs DMA where that is wanted. */
export function bottledMlx5(kernel: KernelSeries, { logging }: { logging: boolean }): Subject {
  const bottles = new Bottles(logging)
  return {
    title: `the bottled mlx5 on ${kernel}${logging ? ', logging' : ''}`,
    real: 'mlx5',
    flavour: 'mlx5',
    kernel,
    flags: 7,
    logging,
    controls: new Set([
      ...controls,
      ...(kernel === '7.2' ? (['reinit'] as const) : []),
      ...(logging ? (['dma', 'breakLog'] as const) : []),
    ]),
    lacks: new Set(),
    open: setup => openBottled(bottles, setup),
    close: () => bottles.close(),
  }
}
