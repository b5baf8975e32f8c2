// SPDX-License-Identifier: Apache-2.0
import { openByName } from '#lib/device/by_name.js'
import { bindToVfioPci } from '../../kernel/vf.ts'
import { rawIoctl } from '../raw/calls.ts'
import type { Handle, KernelSeries, Subject } from '../subject.ts'

async function openFunction(): Promise<Handle> {
  const bound = await bindToVfioPci()
  const { calls } = await openByName(bound.address, {})
  return {
    calls,
    controls: { rawDevice: (request, bytes) => rawIoctl(calls.fds().device, request, bytes) },
    async dispose() {
      await calls.close()
      await bound[Symbol.asyncDispose]()
    },
  }
}

/** A virtual function in the hands of plain vfio-pci, which does not migrate. */
export function plainFunction(kernel: KernelSeries): Subject {
  return {
    title: `vfio-pci without migration on ${kernel}`,
    real: 'core',
    flavour: 'none',
    kernel,
    flags: 0,
    logging: false,
    controls: new Set(['rawDevice', 'regions'] as const),
    lacks: new Set(),
    open: openFunction,
  }
}
