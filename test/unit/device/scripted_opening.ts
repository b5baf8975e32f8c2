// SPDX-License-Identifier: Apache-2.0
import type { Device } from '#lib/device/device.js'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice, type ScriptedSession } from './scripted_device.js'

/** A device in a state with a session, over its script. */
export async function scripted(
  state: 'PRE_COPY' | 'STOP_COPY' | 'RESUMING',
  onSession?: (session: ScriptedSession) => void,
): Promise<{ script: ScriptedDevice; device: Device; session: ScriptedSession }> {
  const script = new ScriptedDevice()
  script.onSession = onSession
  const device = await openDevice(script)
  await device.setState(state)
  return { script, device, session: script.session }
}

/** The device of a script, which tells of what comes after the opening. */
export async function opened(script: ScriptedDevice): Promise<Device> {
  const device = await openDevice(script)
  script.log.length = 0
  return device
}
