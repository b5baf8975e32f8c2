// SPDX-License-Identifier: Apache-2.0
import type { Barrier, DeviceBackend, DeviceFds, Gate, Origin, Via } from '../backend/seam.ts'
import type { Clock } from '../clock.ts'
import { throwIfAborted } from '../abort.ts'
import { isVfioError, VfioError, VfioSystemError, type Arc } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import { precopyInfoReinit, type Capabilities } from '../kernel/feature.ts'
import { stateNumber, type StateName } from '../kernel/state.ts'
import type { Buffers } from './buffers.ts'
import { DmaLogging } from './dma_logging.ts'
import type { Region } from './regions.ts'
import type { ResumingStream } from './resuming_stream.ts'
import { announcedImageWaitMs, type SavingStream } from './saving_stream.ts'
import { DeviceSession } from './session.ts'
import { askState, PathDriver, type PathOptions, type Plan } from './path.ts'
import { checkState, checkTarget } from './transition.ts'

/** What VFIO_MIG_GET_PRECOPY_INFO answered, and what this side holds already. All in bytes. */
export interface PrecopyInfo {
  /** Bytes of the initial image not yet read; a switchover before they are loaded costs downtime. */
  readonly initialBytes: number
  /** Bytes that a further round would read: an estimate that need not come true. */
  readonly dirtyBytes: number
  /** Bytes read from the device and not yet taken by the consumer: unsent, in none of the other two. */
  readonly bufferedBytes: number
  /** The device has begun anew: `initialBytes` counts a new initial image. Only after the INFOv2 opt-in. */
  readonly reinit: boolean
}

/** What is known of a device when it has been opened. @internal */
export interface Identity {
  readonly backend: DeviceBackend
  readonly capabilities: Capabilities
  readonly regions: (check: (operation: string) => void) => Promise<Region[]>
  /** The INFOv2 opt-in was made. */
  readonly precopyInfoV2: boolean
  /** The state that it was reset out of when it was opened. */
  readonly resetAtOpen: StateName | undefined
  /** It must be reset before its last close unless it is RUNNING. */
  readonly resetAtClose: boolean
  readonly buffers: Required<Buffers>
  /** Explains why it cannot migrate. */
  readonly whyNotMigratable: () => Promise<VfioError>
}

/** A path that is checked and not begun: its device is busy with it until it was driven or given up. @internal */
export interface PlannedPath extends Plan {
  /** What its backend makes barriers with. */
  readonly makeBarrier: DeviceBackend['barrier']
  /** Refuses it where the device was closed since. */
  check(): void
  /** Never rejects. */
  drive(gate?: Gate): Promise<DrivenPath>
  giveUp(): void
}

/** What a path came to: `error` where it failed, `heldIn` where it was not let through its gate. @internal */
export interface DrivenPath {
  readonly arcs: Arc[]
  /** When the first SET was issued. */
  readonly begunAt?: number
  readonly error?: Error
  readonly heldIn?: StateName
}

/** What keeps a device busy. */
class Occupation {
  readonly operation: string
  /** Resolves when it is over. */
  readonly over: Promise<void>
  /** A reset came meanwhile. */
  isOvertaken = false
  /** Where it may be waiting for other devices. */
  barrier: Barrier | undefined
  readonly end: () => void

  constructor(operation: string, then: () => void) {
    this.operation = operation
    let resolve: () => void
    this.over = new Promise(done => (resolve = done))
    this.end = () => {
      then()
      resolve()
    }
  }
}

/**
 * A VFIO device. Its state is the kernel's and is asked for, never remembered. One path at a time is driven: a second
 * `setState` is refused with ERR_VFIO_BUSY; `state`, `reset` and `close` are allowed meanwhile.
 *
 * After some failures the device is poisoned: going on could crash the kernel, so that only `reset()` and `close()`
 * are taken (ERR_VFIO_POISONED).
 */
export class Device {
  /** PCI address, mdev UUID, or `fd:N` for a lent fd that does not tell. */
  readonly name: string
  /** The driver's directory name in sysfs. */
  readonly driver: string | undefined
  readonly origin: Origin
  readonly via: Via
  /** It is simulated: what it reports says nothing of a kernel or of hardware. */
  readonly mock: boolean
  /** Where this device's times come from: arcs, and whatever is measured beside them. */
  readonly clock: Clock
  readonly capabilities: Capabilities
  /** Precopy info tells of a restarted initial image (VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 was opted into). */
  readonly precopyInfoV2: boolean
  /** Set when opening had to reset the device: the state that it was found in. */
  readonly resetAtOpen: StateName | undefined
  readonly dmaLogging: DmaLogging
  readonly #facts: Identity
  readonly #backend: DeviceBackend
  readonly #session: DeviceSession
  #regions: readonly Region[] = []
  readonly #path: PathDriver
  #busy: Occupation | undefined
  #poison: VfioSystemError | undefined
  #closed: Promise<void> | undefined

  private constructor(facts: Identity) {
    const { backend } = facts
    this.#facts = facts
    this.#backend = backend
    this.#session = new DeviceSession(backend, facts.buffers)
    this.#path = new PathDriver(backend, facts.capabilities, this.#session)
    this.name = backend.name
    this.driver = backend.driver
    this.origin = backend.origin
    this.via = backend.via
    this.mock = backend.mock === true
    this.clock = backend.clock
    this.capabilities = facts.capabilities
    this.precopyInfoV2 = facts.precopyInfoV2
    this.resetAtOpen = facts.resetAtOpen
    this.dmaLogging = new DmaLogging(backend.calls, this.name, operation => {
      this.#checkUsable(operation)
      if (!facts.capabilities.dmaLogging)
        throw this.#error('ERR_VFIO_CAPABILITY', 'it does not log its DMA: capabilities.dmaLogging is false')
    })
  }

  /** @internal */
  static async create(facts: Identity): Promise<Device> {
    const device = new Device(facts)
    device.#regions = await facts.regions(operation => device.#checkUsable(operation))
    return device
  }

  get regions(): readonly Region[] {
    return this.#regions
  }

  /**
   * What the device gives out, while it is in PRE_COPY, PRE_COPY_P2P or STOP_COPY.
   * @throws VfioError ERR_VFIO_NO_SESSION when it is not, or went there in other hands.
   */
  get savingStream(): SavingStream {
    return this.#session.saving
  }

  /**
   * What the device takes in, while it is in RESUMING.
   * @throws VfioError ERR_VFIO_NO_SESSION when it is not, or went there in other hands.
   */
  get resumingStream(): ResumingStream {
    return this.#session.resuming
  }

  /** The migration state, asked of the kernel (VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE). */
  async state(): Promise<StateName> {
    this.#checkUsable('state()')
    if (!this.capabilities.stopCopy) throw await this.#facts.whyNotMigratable()
    return await askState(this.#backend)
  }

  /**
   * Drives the device to `target`, arc by arc along the kernel's table, and resolves with the arcs made; empty when it
   * is there already. `direct` gives the whole path to the kernel in one SET. `from` is the state that the caller left
   * it in: a device that somebody else moved since is not touched (ERR_VFIO_STATE_MOVED).
   *
   * An abort is honoured before the first arc, not between. A rejection carries the arcs that were made, the state
   * that the kernel answered afterwards, and the recovery.
   */
  async setState(target: StateName, options: PathOptions = {}): Promise<Arc[]> {
    const path = await this.plan(`setState('${target}')`, target, options, true)
    const { arcs, error } = await path.drive()
    await this.sessionClosed().catch((crash: unknown) => {
      throw error ?? crash
    })
    if (error !== undefined) throw error
    return arcs
  }

  /** Resolves when nothing is left of a session that is over, which a path that was planned need not wait for. @internal */
  async sessionClosed(): Promise<void> {
    await this.#session.closed()
  }

  /**
   * Checks a path and begins nothing. Where no other device depends on it, the state to begin in is asked in one breath with
   * the first SET. @internal
   */
  async plan(
    operation: string,
    target: StateName,
    options: PathOptions,
    isAlone: boolean,
  ): Promise<PlannedPath> {
    this.#checkUsable(operation)
    if (!this.capabilities.stopCopy) throw await this.#facts.whyNotMigratable()
    checkTarget(target, this.capabilities, this.name)
    if (options.from !== undefined) checkState(options.from, this.name)
    this.#checkFree(operation)
    throwIfAborted(options.signal)
    const busy = new Occupation(operation, () => (this.#busy = undefined))
    this.#busy = busy
    const check = (): void => this.#checkOpen(operation)
    try {
      const plan = await this.#path.plan(target, options, check, isAlone)
      return {
        ...plan,
        check,
        makeBarrier: this.#backend.barrier,
        drive: gate => this.#drive(plan, busy, gate),
        giveUp: () => busy.end(),
      }
    } catch (error) {
      busy.end()
      throw error
    }
  }

  /**
   * How much there is to read. Asking is part of pre-copy, not only a question: on mlx5 the next image is made because
   * of it, and it waits for the image before. Allowed in PRE_COPY and PRE_COPY_P2P.
   *
   * A read of the stream then waits for the image that was announced, and no longer than `waitMs` (10 s unless told): a
   * firmware that fell back silently never delivers it. One that comes later is found by the next read all the same.
   */
  async precopyInfo(options: { waitMs?: number } = {}): Promise<PrecopyInfo> {
    const { waitMs = announcedImageWaitMs } = options
    checkSpan(waitMs)
    this.#checkUsable('precopyInfo()')
    this.#checkFree('precopyInfo()')
    const stream = this.savingStream
    const answer = await stream.precopyInfo()
    if (answer.result < 0) {
      stream.nudge()
      throw this.#systemError(answer.result, 'VFIO_MIG_GET_PRECOPY_INFO', {
        remedy:
          answer.result === -errno.EINVAL
            ? 'It is answered in PRE_COPY and PRE_COPY_P2P only'
            : 'The session may have failed in the driver: ask state(), and reset() if it is still in the saving group',
      })
    }
    const { initialBytes, dirtyBytes, flags } = answer
    stream.nudge({ waitMs: initialBytes + dirtyBytes > 0 ? waitMs : 0 })
    const reinit = this.precopyInfoV2 && (flags & precopyInfoReinit) !== 0
    return { initialBytes, dirtyBytes, bufferedBytes: stream.bufferedBytes, reinit }
  }

  /** The driver's estimate of what STOP_COPY would give out, in bytes; on mlx5 without its record headers. */
  async stopCopyBytes(): Promise<number> {
    this.#checkUsable('stopCopyBytes()')
    if (!this.capabilities.stopCopy) throw await this.#facts.whyNotMigratable()
    const answer = await this.#backend.calls.dataSize()
    if (answer < 0) throw this.#systemError(answer, 'VFIO_DEVICE_FEATURE_MIG_DATA_SIZE')
    return answer
  }

  /**
   * VFIO_DEVICE_RESET: the device is RUNNING afterwards, its session over; a PCI function is blank, what an mdev keeps
   * is its driver's affair. It can overtake a path that hangs
   * in the kernel; the driver may then perform it when that returns.
   */
  async reset(): Promise<void> {
    this.#checkOpen('reset()')
    // What is reset is not where the others of its set wait for it.
    this.#busy?.barrier?.break()
    const answer = await this.#backend.calls.reset()
    if (answer < 0) {
      throw this.#systemError(answer, 'VFIO_DEVICE_RESET', {
        recovery: 'reset',
        remedy: resetRemedies[-answer] ?? 'Try again, or close the device',
      })
    }
    this.#poison = undefined
    if (this.#busy) this.#busy.isOvertaken = true
    await this.#session.end('the device was reset')
  }

  /**
   * The numbers of the fds that keep this device open and usable, to be inherited by a child process or sent to
   * another. They stay this device's own: closing it closes them here.
   */
  lend(): DeviceFds {
    this.#checkOpen('lend()')
    return this.#backend.calls.fds()
  }

  /** Ends the session and closes the device when every call in the kernel has returned. Can be called again. */
  async close(): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    // A path that is under way ends first: it may lead where the device must not be left.
    this.#busy?.barrier?.break()
    await this.#busy?.over
    await this.#session.end('the device was closed')
    if (this.#facts.resetAtClose && (await this.#backend.calls.getState()) !== stateNumber('RUNNING')) {
      await this.#backend.calls.reset()
    }
    await this.#backend.calls.close()
  }

  async #drive(plan: Plan, busy: Occupation, gate: Gate | undefined): Promise<DrivenPath> {
    busy.barrier = gate?.barrier
    try {
      const { failure, ...driven } = await this.#path.drive(plan, gate)
      if (failure === undefined) return driven
      // A reset that overtook the path has cleared what it left behind.
      if (failure.poisons && !busy.isOvertaken) this.#poison = failure.error
      return { ...driven, error: failure.error }
    } catch (error) {
      return { arcs: isVfioError(error) ? [...error.arcs] : [], error: error as Error }
    } finally {
      busy.end()
    }
  }

  #checkOpen(operation: string): void {
    if (this.#closed) throw this.#error('ERR_VFIO_CLOSED', `it is closed: ${operation} came too late`)
  }

  #checkUsable(operation: string): void {
    this.#checkOpen(operation)
    if (this.#poison === undefined) return
    throw new VfioError(
      'ERR_VFIO_POISONED',
      `'${this.name}': ${operation} is refused after '${this.#poison.message}'. Only reset() or close() help`,
      {
        device: this.name,
        recovery: 'reset',
        cause: this.#poison,
      },
    )
  }

  #checkFree(operation: string): void {
    if (this.#busy)
      throw this.#error(
        'ERR_VFIO_BUSY',
        `${operation} is refused while ${this.#busy.operation} runs; await that first`,
      )
  }

  #error(
    code: ConstructorParameters<typeof VfioError>[0],
    message: string,
    recovery: 'none' | 'reset' = 'none',
  ): VfioError {
    return new VfioError(code, `'${this.name}': ${message}`, { device: this.name, recovery })
  }

  #systemError(
    answer: number,
    request: string,
    details: ConstructorParameters<typeof VfioSystemError>[2] = {},
  ): VfioSystemError {
    return new VfioSystemError(answer, { syscall: 'ioctl', request }, { device: this.name, ...details })
  }
}

function checkSpan(waitMs: unknown): void {
  if (typeof waitMs !== 'number') throw new TypeError('waitMs must be a number of milliseconds')
  if (!(waitMs >= 0 && waitMs < Infinity))
    throw new RangeError(`waitMs must be finite and not negative: ${waitMs}`)
}

const resetRemedies: Readonly<Record<number, string>> = {
  [errno.EINVAL]: 'The device has no working reset: close it, or remove and rescan it',
  [errno.ENODEV]: 'The device, or the process that served it, is gone: close it',
}
