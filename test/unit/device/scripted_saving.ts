// SPDX-License-Identifier: Apache-2.0
import type { SavingStream } from '#lib/device/saving_stream.js'
import type { ScriptedDevice, ScriptedRead } from './scripted_device.js'
import { scripted } from './scripted_opening.js'

/** A saving stream, over its script. */
export async function saving(state: 'PRE_COPY' | 'STOP_COPY') {
  const { script, device } = await scripted(state)
  return { script, device, stream: device.savingStream }
}

/** Collects what a consumer of 'data' gets. */
export function collect(stream: SavingStream): { text: () => string } {
  const parts: Buffer[] = []
  stream.on('data', (chunk: Buffer) => parts.push(chunk))
  return { text: () => Buffer.concat(parts).toString() }
}

/** Answers the reads of a session in STOP_COPY: two chunks, and the end. */
export async function feed(
  script: ScriptedDevice,
  onRead: (read: ScriptedRead) => void = () => undefined,
): Promise<void> {
  for (const text of ['one', 'two', '']) {
    const read = await script.session.nextRead()
    onRead(read)
    read.answer(text.length, script.arc, text)
  }
}
