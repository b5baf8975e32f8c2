// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import type { DeviceBackend, DeviceCalls } from '#lib/backend/seam.js'
import { openByName } from '#lib/device/by_name.js'
import { findDevice } from '#lib/host/find.js'
import { stateName } from '../contract/device.ts'
import { SET, feature, said, stateNumbers } from '../contract/numbers.ts'
import { dataFd, inheritedFd, oddSets, pollDataFd, rawCalls, rawIoctl } from '../contract/raw/calls.ts'
import type { Control, Controls, Flavour, Handle, KernelSeries, Subject } from '../contract/subject.ts'
import { timed, type Timings } from './timings.ts'

/** What a pair of functions says of itself, before anything is asked of it. */
export interface Pair extends Subject {
  readonly device: string
  readonly peer: string
  readonly driver: string
}

const flavours: Readonly<Record<string, Flavour>> = {
  mlx5_vfio_pci: 'mlx5',
  virtio_vfio_pci: 'virtio',
  hisi_acc_vfio_pci: 'hisi_acc',
  qat_vfio_pci: 'qat',
  pds_vfio_pci: 'pds',
  'xe-vfio-pci': 'xe',
  mtty: 'mtty',
}

/** What real hardware offers: nothing of what is behind its driver. Raw calls take a compiler. */
function offered(): Control[] {
  const hasCompiler = spawnSync('cc', ['--version']).status === 0
  return [
    'reopen',
    'regions',
    ...(hasCompiler ? (['another', 'poll', 'raw', 'rawDevice', 'setWithoutFd', 'setReadOnly'] as const) : []),
  ]
}

/** Of two names that are there, and are not one device. Opens nothing: a name that was mistyped costs nobody its state. */
async function checkNames(device: string, peer: string): Promise<void> {
  const [one, two] = [await findDevice(device), await findDevice(peer)]
  assert.notEqual(one.sysfsPath, two.sysfsPath, `${device} and ${peer} are one device, ${one.name}`)
}

interface Facts {
  readonly driver: string
  readonly flags: number
  readonly logging: boolean
  readonly kernel: KernelSeries
}

/** What the kernel answers of one device. */
async function ask(name: string): Promise<Facts> {
  const { driver = 'unknown', calls } = await openByName(name, {})
  try {
    const flags = await calls.migrationFlags()
    assert.ok(flags > 0, `${name}, in the hands of ${driver}, does not migrate`)
    const logging = (await calls.probe(feature.DMA_LOGGING_START, SET)) === 0
    const hasInfoV2 = (await calls.probe(feature.MIG_PRECOPY_INFOv2, SET)) !== -25
    return { driver, flags, logging, kernel: hasInfoV2 ? '7.2' : '6.12' }
  } finally {
    await calls.close()
  }
}

/** That the device is RUNNING when it is opened once more. One that is not is reset, which mtty wants before it is closed. */
export async function checkLeftRunning(name: string): Promise<void> {
  const { calls } = await openByName(name, {})
  try {
    const state = await calls.getState()
    if (state === stateNumbers.RUNNING) return
    const answer = said(await calls.reset())
    assert.fail(`${name} was left in ${stateName(state)}; the reset that it got now answered ${answer}`)
  } finally {
    await calls.close()
  }
}

async function open(name: string, timings: Timings): Promise<Handle> {
  const fds: DeviceCalls[] = []
  const openFd = async (): Promise<DeviceCalls> => {
    const backend: DeviceBackend = await openByName(name, {})
    fds.push(backend.calls)
    return timed(backend.calls, timings)
  }
  const calls = await openFd()
  const controls: Partial<Controls> = {
    another: () => Promise.resolve(inheritedFd(calls.fds().device)),
    reopen: openFd,
    poll: pollDataFd,
    raw: () => rawCalls(dataFd()),
    rawDevice: (request, bytes) => rawIoctl(calls.fds().device, request, bytes),
    ...oddSets(() => calls.fds().device),
  }
  return {
    calls,
    controls,
    async dispose() {
      const answers: (number | string)[] = []
      for (const fd of fds) answers.push(said(await fd.reset()))
      await Promise.all(fds.map(fd => fd.close()))
      // The rule may have closed it.
      const failed = answers.filter(answer => answer !== 0 && answer !== 'EBADF')
      assert.deepEqual(failed, [], `the reset of ${name} at the end`)
    },
  }
}

/** A real device and a second one like it, which a rule that wants two gets. Opening a PCI function resets it. */
export async function openPair(device: string, peer: string, timings: Timings): Promise<Pair> {
  await checkNames(device, peer)
  const [own, other] = [await ask(device), await ask(peer)]
  assert.deepEqual(other, own, `${device} and ${peer} are not alike`)
  const { driver, flags, logging, kernel } = own
  const controls = new Set(offered())
  const taken = new Set<string>()
  return {
    title: `${device} and ${peer}, ${driver}`,
    real: undefined,
    flavour: flavours[driver] ?? 'other',
    ...{ device, peer, driver, flags, logging, kernel },
    controls,
    lacks: new Set(),
    async open() {
      const name = [device, peer].find(one => !taken.has(one)) ?? assert.fail('there is no third device')
      const handle = await open(name, timings)
      taken.add(name)
      return {
        ...handle,
        async dispose() {
          try {
            await handle.dispose()
          } finally {
            taken.delete(name)
          }
        },
      }
    },
  }
}
