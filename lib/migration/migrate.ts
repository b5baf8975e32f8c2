// SPDX-License-Identifier: Apache-2.0
import { finished } from 'node:stream/promises'
import type { Device } from '../device/device.ts'
import { throwIfAborted } from '../abort.ts'
import { VfioError, type Arc } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import { MigrationError, type MigrationReport } from './report.ts'
import { saveState, type Phase, type Saved } from './saving.ts'
import { Side } from './side.ts'

/** What happens, as it happens. */
export type MigrationProgress =
  | { readonly side: 'source' | 'destination'; readonly arcs: readonly Arc[] }
  | { readonly phase: Phase; readonly bytes: number }

/** What to migrate. Neither device is closed. */
export interface MigrateOptions {
  /** Gives its state and does not run afterwards: it ends in STOP. */
  readonly from: Device
  /** Takes the state and runs afterwards. */
  readonly to: Device
  /** Honoured until the destination is told to run; the source runs again then. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: MigrationProgress) => void
}

/**
 * Moves the state of one device into another on this host: PRE_COPY where the source has it, until its initial bytes
 * are loaded; STOP_COPY; load; the destination's RESUMING -> STOP as its word that it is complete; then it runs, and
 * the source stops.
 *
 * @throws MigrationError that says where both devices are. Unless the destination may have run, the source is back in the
 * state that it was in; the destination is left in RESUMING, which only a reset or its close leaves.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const { from, to, signal } = options
  checkPair(from, to)
  throwIfAborted(signal)
  const migration = new Migration(options)
  try {
    return await migration.run(signal)
  } catch (error) {
    throw await migration.rollBack(error)
  }
}

function checkPair(from: Device, to: Device): void {
  if (from === to || from.name === to.name) {
    throw new VfioError('ERR_VFIO_REFUSED', `'${from.name}' cannot be moved into itself: name two devices`)
  }
  if (from.driver !== undefined && to.driver !== undefined && from.driver !== to.driver) {
    throw new VfioError(
      'ERR_VFIO_REFUSED',
      `'${from.name}' is driven by ${from.driver}, '${to.name}' by ${to.driver}: a state only fits the driver that made it`,
    )
  }
}

class Migration {
  readonly #source: Side
  readonly #destination: Side
  readonly #now: () => number
  readonly #onProgress: (progress: MigrationProgress) => void
  #before: StateName | undefined

  constructor({ from, to, onProgress = () => undefined }: MigrateOptions) {
    this.#source = new Side(from, arcs => onProgress({ side: 'source', arcs }))
    this.#destination = new Side(to, arcs => onProgress({ side: 'destination', arcs }))
    this.#now = () => from.clock.now()
    this.#onProgress = onProgress
  }

  async run(signal: AbortSignal | undefined): Promise<MigrationReport> {
    this.#before = await this.#source.device.state()
    const begun = this.#now()
    await this.#destination.go('RESUMING', signal && { signal })
    const { stoppedAt, ...saved } = await this.#copy(signal)
    await this.#complete(saved.bytes)
    throwIfAborted(signal)
    await this.#destination.go('RUNNING')
    const running = this.#now()
    await this.#source.go('STOP')
    return {
      source: await this.#source.report(),
      destination: await this.#destination.report(),
      ...saved,
      downtimeMs: running - stoppedAt,
      totalMs: running - begun,
    }
  }

  /**
   * Puts the source back into the state that it was in, unless the destination may have run: two devices with one state
   * would be worse than none. The first error is the one that is told.
   */
  async rollBack(error: unknown): Promise<MigrationError> {
    if (!this.#destination.mayHaveRun && this.#before !== undefined && this.#source.hasMoved) {
      await this.#source.go(this.#before).catch(() => undefined)
    }
    return new MigrationError(error, await this.#source.report(), await this.#destination.report())
  }

  /** Every chunk is loaded when its write calls back: the next one is not read before. */
  async #copy(signal: AbortSignal | undefined): Promise<Saved> {
    const sink = this.#destination.device.resumingStream
    // A failed write is told by its callback; the event of the same name would end the process.
    sink.on('error', () => undefined)
    const load = async (chunk: Uint8Array, phase: Phase): Promise<void> => {
      await new Promise<void>((resolve, reject) => {
        sink.write(chunk, error => (error ? reject(error) : resolve()))
      })
      this.#onProgress({ phase, bytes: sink.bytesWritten })
    }
    return await saveState(this.#source, load, signal)
  }

  /** The destination has everything, and says so by leaving RESUMING. */
  async #complete(bytes: number): Promise<void> {
    const sink = this.#destination.device.resumingStream
    sink.end()
    await finished(sink)
    const given = this.#source.device.savingStream.bytesRead
    if (bytes === 0 || sink.bytesWritten !== given) {
      const text = `the source gave ${given} bytes and the destination took ${sink.bytesWritten}`
      throw new VfioError('ERR_VFIO_INCOMPLETE', text)
    }
    await this.#destination.go('STOP')
  }
}
