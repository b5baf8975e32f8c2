// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import { checkPath } from './control_arguments.ts'
import type { Fault } from './faults.ts'
import { fromJson } from './frame.ts'
import type { RecordedEvent } from './history.ts'
import { WireClient } from './wire_client.ts'
import type { Run } from './workload.ts'

/**
 * What a {@link MockDevice} can be asked and told besides the seam, from another process than the one that serves it. Names
 * and meaning are those of MockDevice. It is no open fd of the device.
 */
export class MockControl {
  /** What messages call the device. */
  readonly name: string
  readonly #client: WireClient

  /** @internal */
  constructor(client: WireClient, name: string) {
    this.#client = client
    this.name = name
  }

  async digest(): Promise<string> {
    return await this.#ask('digest')
  }

  async epoch(): Promise<bigint> {
    return await this.#ask('epoch')
  }

  async seed(): Promise<bigint> {
    return await this.#ask('seed')
  }

  async state(): Promise<StateName> {
    return await this.#ask('state')
  }

  async runLog(): Promise<readonly Run[]> {
    return await this.#ask('runLog')
  }

  async history(): Promise<readonly RecordedEvent[]> {
    return await this.#ask('history')
  }

  /** @throws TypeError that names the field for a fault that it cannot have. */
  async inject(fault: Fault): Promise<void> {
    await this.#ask('inject', fault)
  }

  async unusedFaults(): Promise<readonly Fault[]> {
    return await this.#ask('unusedFaults')
  }

  async releaseHeld(): Promise<void> {
    await this.#ask('releaseHeld')
  }

  async step(steps = 1): Promise<void> {
    await this.#ask('step', steps)
  }

  async reinit(): Promise<void> {
    await this.#ask('reinit')
  }

  async detach(): Promise<void> {
    await this.#ask('detach')
  }

  async attach(): Promise<void> {
    await this.#ask('attach')
  }

  close(): void {
    this.#client.end()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #ask<T>(call: string, ...args: unknown[]): Promise<T> {
    const answered = await this.#client.request(call, args)
    if (answered !== undefined) return fromJson(answered.payload.toString()) as T
    throw new VfioError('ERR_VFIO_NO_DEVICE', `'${this.name}': the process that served it is gone`, {
      device: this.name,
    })
  }
}

/**
 * Connects to the mock that another process serves at `path`, to look at it and to make it fail.
 * @throws VfioError ERR_VFIO_NO_DEVICE where nobody serves one.
 */
export async function connectMockControl(path: string): Promise<MockControl> {
  checkPath(path)
  const { client, device } = await WireClient.connect(path, 'control')
  return new MockControl(client, device.name)
}
