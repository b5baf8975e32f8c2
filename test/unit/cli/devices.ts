// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from 'vfio-migrate'
import type * as v from 'valibot'
import { parse } from 'valibot'
import type { Io } from '#lib/cli/context.js'
import { run } from '#lib/cli/run.js'
import { failure, type ErrorOutput } from '#lib/cli/schemas/failure.js'
import { ScriptedDevice } from '../device/scripted_device.js'
import { capturedIo, type CapturedIo } from './streams.js'

/** The number of the one capability that every device here has: it gives its state in STOP_COPY. */
const stopCopyOnly = 1

/** Two scripted devices: `fd:3` is lent and has a state to give, `fd:4` takes one. */
export class TwoDevices {
  readonly source: ScriptedDevice
  readonly destination: ScriptedDevice
  readonly io: CapturedIo

  constructor({
    destination = 'opened',
    name = '0000:08:00.3',
    io = {},
  }: { destination?: 'opened' | 'lent'; name?: string; io?: Partial<Io> } = {}) {
    this.source = new ScriptedDevice('source', 'lent')
    this.destination = new ScriptedDevice(name, destination)
    for (const device of [this.source, this.destination]) device.flags = stopCopyOnly
    this.gives('state')
    this.io = capturedIo({
      ...io,
      openDevice: async target => {
        const { fd } = target as { fd: number }
        return await openDevice(fd === 3 ? this.source : this.destination)
      },
    })
  }

  /** What the source gives out when it is saved. */
  gives(...texts: string[]): void {
    const { source } = this
    source.onSession = session => {
      void (async () => {
        for (const text of texts) (await session.nextRead()).answer(text.length, source.arc, text)
        ;(await session.nextRead()).answer(0, source.arc)
      })()
    }
  }

  async run(...words: string[]): Promise<number> {
    return await run(['node', 'vfio-migrate', ...words], this.io)
  }

  json<T>(schema: v.GenericSchema<T>): T {
    return parse(schema, JSON.parse(this.io.stdout.text))
  }

  /** Runs a command with --json that is to fail with this exit code. */
  async failure(exit: number, ...words: string[]): Promise<ErrorOutput> {
    assert.equal(await this.run(...words, '--json'), exit, this.io.stderr.text)
    return this.json(failure).error
  }
}
