// SPDX-License-Identifier: Apache-2.0
import { findDevice, isMockName, openDevice, VfioError, type HostDevice, type StateName } from '../index.ts'
import type { Context } from './context.ts'
import { lentFd } from './hand.ts'
import { hostDeviceOutput } from './migratable.ts'
import { mockNamed, sayUnusedFaults } from './mock.ts'
import { PrerequisiteError } from './refusals.ts'
import type { StateOutput } from './schemas/state.ts'

/** `vfio-migrate state DEVICE` */
export async function state(
  [name = '']: readonly string[],
  _options: object,
  context: Context,
): Promise<void> {
  const answer = await answerOf(name, context)
  const result: StateOutput = { schema: 1, command: 'state', ...answer }
  context.answer(result, answer.state)
}

type Answer = Pick<StateOutput, 'device' | 'state' | 'source' | 'mock'>

async function answerOf(name: string, context: Context): Promise<Answer> {
  if (isMockName(name)) return await fromMock(name, context)
  const fd = lentFd(name)
  return fd === undefined ? await fromDebugfs(name) : await fromFd(fd)
}

async function fromMock(name: string, context: Context): Promise<Answer> {
  const mock = await mockNamed(name)
  const device = await openDevice(mock ?? name)
  try {
    return { device: device.name, state: await device.state(), source: 'mock', mock: true }
  } finally {
    await device.close()
    if (mock) await sayUnusedFaults(mock, context)
  }
}

async function fromFd(fd: number): Promise<Answer> {
  const device = await openDevice({ fd })
  try {
    return { device: device.name, state: await device.state(), source: 'fd' }
  } finally {
    await device.close()
  }
}

async function fromDebugfs(name: string): Promise<Answer> {
  const device = await findDevice(name, { state: true })
  const state: StateName | undefined = device.migration?.state
  if (state === undefined) throw unknownState(device)
  return { device: device.name, state, source: 'debugfs' }
}

function unknownState(device: HostDevice): Error {
  const { name } = device
  const { migratable, why } = hostDeviceOutput(device)
  if (migratable !== false) return new PrerequisiteError(unreadable(device))
  return new VfioError('ERR_VFIO_NOT_MIGRATABLE', `'${name}' does not migrate: ${why}`, { device: name })
}

function unreadable({ name, debugfs }: HostDevice): string {
  const head = `The state of '${name}' cannot be told without opening it`
  if (debugfs === 'denied') return `${head}: debugfs is not ours to read. Run it as root`
  const mount = 'mount -t debugfs none /sys/kernel/debug'
  if (debugfs === 'absent')
    return `${head}: there is no VFIO in debugfs. If it is not mounted: ${mount}; the kernel needs CONFIG_VFIO_DEBUGFS (Linux 6.8)`
  return `${head}: its driver tells debugfs no state`
}
