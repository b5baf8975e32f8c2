// SPDX-License-Identifier: Apache-2.0
import { finished } from 'node:stream/promises'
import type { Device } from '../device/device.ts'
import { throwIfAborted } from '../abort.ts'
import { VfioError, type Arc } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import { MigrationError, type MigrationReport } from './report.ts'
import { saveState, savingBegins, type Phase, type Saved } from './saving.ts'
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
  /** What it throws ends the migration as long as that can be undone. */
  readonly onProgress?: (progress: MigrationProgress) => void
}

/**
 * Moves the state of one device into another on this host: PRE_COPY where the source has it, until its initial bytes
 * are loaded; STOP_COPY; load; the destination's RESUMING -> STOP as its word that it is complete; then it runs, and
 * the source stops. Once the destination runs the migration has happened: should the source not stop then, its report
 * says so.
 *
 * @throws TypeError for what is no open device, and for two that live by two clocks.
 * @throws VfioError ERR_VFIO_REFUSED for two devices that cannot be a pair, with both as they were.
 * @throws MigrationError that says where both devices are. Unless the destination may have run, the source is back in
 * the state that it was in; the destination is left in RESUMING, which only a reset or its close leaves.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const { from, to, signal } = options
  checkDevices({ from, to })
  throwIfAborted(signal)
  checkClock(from, to)
  checkPair(from, to)
  await checkStates(from, to)
  const migration = new Migration(options)
  try {
    return await migration.run(signal)
  } catch (error) {
    throw await migration.rollBack(error)
  }
}

function refused(text: string): VfioError {
  return new VfioError('ERR_VFIO_REFUSED', text)
}

/** By what is called on them: another copy of this library makes devices as well. */
function checkDevices(sides: Readonly<Record<'from' | 'to', unknown>>): void {
  for (const [name, side] of Object.entries(sides)) {
    if (typeof side === 'object' && side !== null && 'setState' in side) continue
    throw new TypeError(`migrate() takes a Device as '${name}': give it what openDevice() resolves with`)
  }
}

/** The times of one report must be times of one clock, and simulated time waits for nobody outside of it. */
function checkClock(from: Device, to: Device): void {
  if (from.clock === to.clock) return
  throw new TypeError(
    `'${from.name}' and '${to.name}' live by two clocks, and a migration has one: give both mocks the same clock, or none`,
  )
}

function checkPair(from: Device, to: Device): void {
  // Each mock that is opened by name is another one, also by the same name.
  if (from === to || (from.name === to.name && !from.mock)) {
    throw refused(`'${from.name}' cannot be moved into itself: name two devices`)
  }
  if (from.driver !== undefined && to.driver !== undefined && from.driver !== to.driver) {
    throw refused(
      `'${from.name}' is driven by ${from.driver}, '${to.name}' by ${to.driver}: a state only fits the driver that made it`,
    )
  }
}

const freeStates: ReadonlySet<StateName> = new Set(['STOP', 'RUNNING', 'RUNNING_P2P'])

/** Neither may be in the middle of something; asked before anything is touched. */
async function checkStates(from: Device, to: Device): Promise<void> {
  savingBegins(await from.state(), from)
  const state = await to.state()
  if (!freeStates.has(state)) {
    throw refused(`'${to.name}' is in ${state}: somebody else saves or loads it, or it has failed`)
  }
}

class Migration {
  readonly #source: Side
  readonly #destination: Side
  readonly #now: () => number
  readonly #onProgress: (progress: MigrationProgress) => void
  #thrown: { readonly error: unknown } | undefined
  #before: { readonly source: StateName; readonly destination: StateName } | undefined

  constructor({ from, to, onProgress = () => undefined }: MigrateOptions) {
    this.#source = new Side(from, arcs => this.#tell({ side: 'source', arcs }))
    this.#destination = new Side(to, arcs => this.#tell({ side: 'destination', arcs }))
    this.#now = () => from.clock.now()
    this.#onProgress = onProgress
  }

  async run(signal: AbortSignal | undefined): Promise<MigrationReport> {
    const begun = this.#now()
    await this.#prepare(signal)
    const { stoppedAt, ...saved } = await this.#copy(signal)
    await this.#complete()
    throwIfAborted(signal)
    this.#throwThrown()
    await this.#destination.go('RUNNING')
    const running = this.#now()
    const error = await this.#source.go('STOP').catch((error: unknown) => error as Error)
    return {
      source: await this.#source.report(error ?? undefined),
      destination: await this.#destination.report(),
      mock: this.#source.device.mock || this.#destination.device.mock,
      ...saved,
      downtimeMs: running - stoppedAt,
      totalMs: running - begun,
    }
  }

  /**
   * Puts both sides back as far as that can be: the source into the state that it was in, unless the destination may
   * have run (two devices with one state would be worse than none); the destination while nothing is loaded into it.
   * The first error is the one that is told.
   */
  async rollBack(error: unknown): Promise<Error> {
    const before = this.#before
    if (before && !this.#destination.mayHaveRun && this.#source.hasMoved) {
      await this.#source.go(before.source).catch(() => undefined)
    }
    if (before && this.#destination.hasMoved && !this.#destination.wasResumed) {
      await this.#destination.go(before.destination).catch(() => undefined)
    }
    const [source, destination] = [await this.#source.report(), await this.#destination.report()]
    const asBefore = !this.#source.hasMoved && destination.state === before?.destination
    if (asBefore && error instanceof VfioError && error.code === 'ERR_VFIO_REFUSED') return error
    return new MigrationError(error, source, destination)
  }

  /** What the callback throws ends the migration where it can be undone, not between two arcs. */
  #tell(progress: MigrationProgress): void {
    try {
      this.#onProgress(progress)
    } catch (error) {
      this.#thrown ??= { error }
    }
  }

  #throwThrown(): void {
    if (this.#thrown) throw this.#thrown.error
  }

  /**
   * Two fds may be of one device without telling. Stopping the destination shows it, and can be undone; RESUMING would
   * give up what the device holds.
   */
  async #prepare(signal: AbortSignal | undefined): Promise<void> {
    const { device } = this.#source
    const source = await device.state()
    this.#before = { source, destination: await this.#destination.device.state() }
    const options = signal && { signal }
    await this.#destination.go('STOP', options)
    if ((await device.state()) !== source) {
      throw refused(
        `'${device.name}' stopped together with '${this.#destination.device.name}': they are one device, or another process drives it`,
      )
    }
    await this.#destination.go('RESUMING', options)
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
      this.#tell({ phase, bytes: sink.bytesWritten })
      this.#throwThrown()
    }
    return await saveState(this.#source, load, signal)
  }

  /** The destination has everything, and says so by leaving RESUMING. */
  async #complete(): Promise<void> {
    const sink = this.#destination.device.resumingStream
    sink.end()
    await finished(sink)
    const given = this.#source.device.savingStream.bytesRead
    if (sink.bytesWritten !== given) {
      const text = `the source gave ${given} bytes and the destination took ${sink.bytesWritten}`
      throw new VfioError('ERR_VFIO_INCOMPLETE', text)
    }
    await this.#destination.go('STOP')
  }
}
