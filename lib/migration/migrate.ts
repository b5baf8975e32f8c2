// SPDX-License-Identifier: Apache-2.0
import { finished } from 'node:stream/promises'
import type { Device } from '../device/device.ts'
import type { Pause } from '../device/saving_stream.ts'
import { throwIfAborted, VfioError, type Arc } from '../errors.ts'
import { savingGroup } from '../kernel/state.ts'
import { MigrationError, type MigrationReport } from './report.ts'
import { Side } from './side.ts'

/** What happens, as it happens. */
export type MigrationProgress =
  | { readonly side: 'source' | 'destination'; readonly arcs: readonly Arc[] }
  | { readonly phase: 'precopy' | 'stop-copy'; readonly bytes: number }

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
 * @throws MigrationError that says where both devices are. Before the destination may have run, the source runs again;
 * the destination is left in RESUMING, which only a reset or its close leaves.
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
  #bytes = 0
  #precopyBytes = 0
  #rounds = 0

  constructor({ from, to, onProgress = () => undefined }: MigrateOptions) {
    this.#source = new Side(from, arcs => onProgress({ side: 'source', arcs }))
    this.#destination = new Side(to, arcs => onProgress({ side: 'destination', arcs }))
    this.#now = () => from.clock.now()
    this.#onProgress = onProgress
  }

  async run(signal: AbortSignal | undefined): Promise<MigrationReport> {
    const begun = this.#now()
    await this.#destination.go('RESUMING', signal)
    // A failed write is told by its callback; the event of the same name would end the process.
    this.#destination.device.resumingStream.on('error', () => undefined)
    if (this.#source.device.capabilities.preCopy) await this.#precopy(signal)
    const stopped = this.#now()
    await this.#source.go('STOP_COPY', signal)
    await this.#copy('end', 'stop-copy', signal)
    await this.#complete()
    throwIfAborted(signal)
    await this.#destination.go('RUNNING')
    const running = this.#now()
    await this.#source.go('STOP')
    return {
      source: await this.#source.report(),
      destination: await this.#destination.report(),
      bytes: this.#bytes,
      precopyBytes: this.#precopyBytes,
      rounds: this.#rounds,
      downtimeMs: running - stopped,
      totalMs: running - begun,
    }
  }

  /**
   * Puts the source back to RUNNING, unless the destination may have run: two devices with one state would be worse
   * than none. The first error is the one that is told.
   */
  async rollBack(error: unknown): Promise<MigrationError> {
    if (!this.#destination.mayHaveRun && this.#source.wasIn(savingGroup)) {
      await this.#source.go('RUNNING').catch(() => undefined)
    }
    return new MigrationError(error, await this.#source.report(), await this.#destination.report())
  }

  /**
   * Reads until the initial bytes are in the destination. Asking makes the next image on some drivers, so each answer
   * is followed by reading what it announced, and the switch by no further question.
   */
  async #precopy(signal: AbortSignal | undefined): Promise<void> {
    await this.#source.go('PRE_COPY', signal)
    await this.#copy('idle', 'precopy', signal)
    for (let initialBytes = 1; initialBytes > 0;) {
      ;({ initialBytes } = await this.#source.device.precopyInfo())
      this.#rounds++
      await this.#copy('idle', 'precopy', signal)
    }
    this.#precopyBytes = this.#bytes
  }

  /** Every chunk is loaded when its write calls back: the next one is not read before. */
  async #copy(until: Pause, phase: 'precopy' | 'stop-copy', signal: AbortSignal | undefined): Promise<void> {
    const sink = this.#destination.device.resumingStream
    for await (const chunk of this.#source.device.savingStream.chunks({ until })) {
      throwIfAborted(signal)
      await new Promise<void>((resolve, reject) => {
        sink.write(chunk, error => (error ? reject(error) : resolve()))
      })
      this.#bytes += chunk.length
      this.#onProgress({ phase, bytes: this.#bytes })
    }
  }

  /** The destination has everything, and says so by leaving RESUMING. */
  async #complete(): Promise<void> {
    const sink = this.#destination.device.resumingStream
    sink.end()
    await finished(sink)
    const { savingStream } = this.#source.device
    if (sink.bytesWritten !== savingStream.bytesRead || this.#bytes === 0) {
      throw new VfioError(
        'ERR_VFIO_INCOMPLETE',
        `the source gave ${savingStream.bytesRead} bytes and the destination took ${sink.bytesWritten}`,
      )
    }
    await this.#destination.go('STOP')
  }
}
