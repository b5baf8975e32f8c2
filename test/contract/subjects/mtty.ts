// SPDX-License-Identifier: Apache-2.0
import { openByName } from '#lib/device/by_name.js'
import { createMtty } from '../../kernel/mtty.ts'
import { dataFd, inheritedFd, oddSets, pollDataFd, rawCalls, rawIoctl } from '../raw/calls.ts'
import type { Handle, KernelSeries, Subject } from '../subject.ts'

/** One device open by all its fds. */
async function openMtty(): Promise<Handle> {
  const mtty = await createMtty()
  const fds: { reset(): Promise<number>; close(): Promise<void> }[] = []
  const open = async () => {
    const { calls } = await openByName(mtty.uuid, {})
    fds.push(calls)
    return calls
  }
  const calls = await open()
  return {
    calls,
    controls: {
      another: () => Promise.resolve(inheritedFd(calls.fds().device)),
      reopen: open,
      poll: pollDataFd,
      raw: () => rawCalls(dataFd()),
      rawDevice: (request, bytes) => rawIoctl(calls.fds().device, request, bytes),
      ...oddSets(() => calls.fds().device),
    },
    async dispose() {
      // The driver keeps its state over the last close, and not the session that belongs to it.
      for (const fd of fds) await fd.reset()
      await Promise.all(fds.map(fd => fd.close()))
      await mtty[Symbol.asyncDispose]()
    },
  }
}

/** The kernel's sample driver: one serial port, no hardware. */
export function mtty(kernel: KernelSeries): Subject {
  return {
    title: `mtty on ${kernel}`,
    real: 'mtty',
    flavour: 'mtty',
    kernel,
    flags: 7,
    logging: true,
    controls: new Set([
      'another',
      'reopen',
      'poll',
      'raw',
      'rawDevice',
      'regions',
      'setWithoutFd',
      'setReadOnly',
    ] as const),
    // Nothing of it can be held, or made to fail.
    lacks: new Set(),
    open: openMtty,
  }
}
