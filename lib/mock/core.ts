// SPDX-License-Identifier: Apache-2.0
import type { PrecopyInfoAnswer } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import { feature, operation } from '../kernel/feature.ts'
import { preCopyStates, stateNumber, type StateName } from '../kernel/state.ts'
import { sleep, type CancelWait, type MockClock } from './clock.ts'
import type { DmaLog, Driver, Kernel, MakeDriver, Session } from './drivers/driver.ts'
import type { FaultPlan } from './fault_plan.ts'
import { checkFeature } from './features.ts'
import { Firmware } from './firmware.ts'
import type { History } from './history.ts'
import { checkReport, makeRanges } from './log_ranges.ts'
import { MockOops } from './oops.ts'
import type { ResolvedOptions } from './options.ts'
import { refusals } from './refusals.ts'
import { StateMachine } from './state_machine.ts'
import { StateMutex } from './state_mutex.ts'

/** What all holders of one device share. */
export interface CoreParts {
  readonly options: ResolvedOptions
  readonly clock: MockClock
  readonly faults: FaultPlan
  readonly history: History
  readonly makeDriver: MakeDriver
}

/**
 * The device as vfio_main.c and vfio_pci_core.c have it: opens and closes, the features' checks, the loop of SETs, the
 * reset. Every function answers what the system call would, a number `>= 0` or -errno, and runs as soon as it is called.
 */
export class Core implements Kernel {
  readonly options: ResolvedOptions
  readonly clock: MockClock
  readonly faults: FaultPlan
  readonly history: History
  readonly firmware: Firmware
  readonly mutex: StateMutex
  readonly driver: Driver
  readonly #machine: StateMachine
  #precopyInfoV2 = false
  #opens = 0
  #oops: MockOops | undefined
  readonly #onCrash = new Set<(oops: MockOops) => void>()

  constructor({ options, clock, faults, history, makeDriver }: CoreParts) {
    this.options = options
    this.clock = clock
    this.faults = faults
    this.history = history
    const onReset = (): void => void this.#resetByOther()
    this.firmware = new Firmware({ options, clock, faults, history, onReset })
    this.#machine = new StateMachine({ flags: options.capabilities, faults, history, onReset })
    this.mutex = new StateMutex(() => this.#takeNoticeOfReset())
    this.driver = makeDriver(this)
  }

  /** Told when the device is opened and nobody else has it open. */
  onFirstOpen: (() => void) | undefined

  get state(): StateName {
    return this.#machine.state
  }

  get precopyInfoV2(): boolean {
    return this.#precopyInfoV2
  }

  get crash(): MockOops | undefined {
    return this.#oops
  }

  /** Told when the kernel has crashed, for calls that wait in it. */
  whenCrashed(then: (oops: MockOops) => void): CancelWait {
    this.#onCrash.add(then)
    return () => this.#onCrash.delete(then)
  }

  enterError(): void {
    this.#machine.become('ERROR')
  }

  oops(what: string): never {
    const oops = (this.#oops ??= new MockOops(this.options.name, what))
    this.history.record({ kind: 'event', event: 'oops', detail: what })
    this.mutex.break(oops)
    for (const then of this.#onCrash) then(oops)
    throw oops
  }

  /** The first open clears and resets the function, but not where the driver keeps its state. */
  open(): void {
    if (this.#opens++ > 0) return
    this.history.record({ kind: 'event', event: 'first open' })
    this.onFirstOpen?.()
    this.driver.opened?.()
    if (this.driver.keepsState !== true) {
      this.firmware.reset()
      this.#machine.become('RUNNING')
    }
    this.firmware.setOpen(true)
  }

  /** The last close ends the session and the log, and resets the function again. */
  async close(): Promise<void> {
    if (--this.#opens > 0) return
    await this.mutex.run(async () => {
      await this.driver.endSessions()
      this.driver.log?.close()
    })
    this.#precopyInfoV2 = false
    if (this.#opens > 0) return
    this.history.record({ kind: 'event', event: 'last close' })
    this.firmware.setOpen(false)
    if (this.driver.keepsState !== true) this.firmware.reset()
  }

  /** VFIO_DEVICE_RESET. INFOv2 and the DMA log outlive it. */
  async reset(): Promise<number> {
    const fault = this.faults.take('RESET')
    await sleep(this.clock, this.options.latency.RESET)
    await this.faults.hold(fault)
    if (fault?.errno !== undefined) return -errno[fault.errno]
    await this.#reset()
    return 0
  }

  async #reset(): Promise<void> {
    this.history.record({ kind: 'event', event: 'reset' })
    if (this.driver.keepsState !== true) this.firmware.reset()
    if (this.driver.resetWaits === true) await this.mutex.run(() => this.#takeNoticeOfReset())
    else await this.mutex.noteReset()
  }

  async #resetByOther(): Promise<void> {
    // Broken for good is told by every call.
    await this.#reset().catch(() => undefined)
  }

  async #takeNoticeOfReset(): Promise<void> {
    this.#machine.become('RUNNING')
    await this.driver.endSessions()
  }

  /** FEATURE_MIGRATION. */
  migrationFlags(): number {
    const checked = checkFeature(feature.MIGRATION, operation.GET, this.options)
    if (checked < 0) return checked
    const { p2p, preCopy } = this.options.capabilities
    return 1 | (p2p ? 2 : 0) | (preCopy ? 4 : 0)
  }

  /** FEATURE_MIG_DEVICE_STATE, GET. */
  async getState(): Promise<number> {
    const checked = checkFeature(feature.MIG_DEVICE_STATE, operation.GET, this.options)
    return checked < 0 ? checked : await this.#locked(() => stateNumber(this.#machine.state))
  }

  /** FEATURE_MIG_DEVICE_STATE, SET: the session that it opened, 0, or -errno. */
  async setState(target: number): Promise<Session | number> {
    const checked = checkFeature(feature.MIG_DEVICE_STATE, operation.SET, this.options)
    if (checked < 0) return checked
    const made = await this.#locked(() => this.#machine.walk(this.driver, target))
    if (typeof made === 'number') return made
    const fault = this.faults.take('INSTALL_FD')
    return fault?.errno === undefined ? made : -errno[fault.errno]
  }

  /** A call with the state mutex held, before which the adapter may have recovered. */
  async #locked<T>(work: () => Promise<T> | T): Promise<T> {
    return await this.mutex.run(() => {
      if (this.faults.take('ADAPTER_RECOVERY')) this.driver.onAdapterRecovery?.()
      return work()
    })
  }

  /** FEATURE_MIG_DATA_SIZE. */
  async dataSize(): Promise<number> {
    const checked = checkFeature(feature.MIG_DATA_SIZE, operation.GET, this.options)
    return checked < 0 ? checked : await this.mutex.run(() => this.driver.dataSize())
  }

  /** FEATURE_MIG_PRECOPY_INFOv2. */
  optInPrecopyInfoV2(): number {
    const checked = checkFeature(feature.MIG_PRECOPY_INFOv2, operation.SET, this.options)
    if (checked === 0) this.#precopyInfoV2 = true
    return checked
  }

  /** VFIO_MIG_GET_PRECOPY_INFO on a session's data_fd, with flags of 0 going in. */
  async precopyInfo(session: Session): Promise<PrecopyInfoAnswer> {
    if (session.precopyInfo === undefined) return refusals.precopyInfo(-errno.ENOTTY)
    const answer = await this.mutex.run(async () =>
      preCopyStates.has(this.#machine.state) ? await session.precopyInfo?.() : undefined,
    )
    if (answer === undefined) return refusals.precopyInfo(-errno.EINVAL)
    if (answer.result < 0) return refusals.precopyInfo(answer.result)
    const fault = this.faults.take('PRECOPY_INFO')
    if (fault?.errno !== undefined) return refusals.precopyInfo(-errno[fault.errno])
    return this.#precopyInfoV2 ? answer : { ...answer, flags: 0 }
  }

  /** FEATURE_DMA_LOGGING_START; `ranges` is iova, length, iova, length… */
  async dmaLoggingStart(pageSize: number, ranges: BigUint64Array): Promise<number> {
    const log = this.#log(feature.DMA_LOGGING_START, operation.SET)
    if (typeof log === 'number') return log
    const made = makeRanges(pageSize, ranges)
    return typeof made === 'number' ? made : await this.#locked(() => log.start(pageSize, made))
  }

  /** FEATURE_DMA_LOGGING_STOP. */
  async dmaLoggingStop(): Promise<number> {
    const log = this.#log(feature.DMA_LOGGING_STOP, operation.SET)
    return typeof log === 'number' ? log : await this.#locked(() => log.stop())
  }

  /** FEATURE_DMA_LOGGING_REPORT: sets the bits of the pages that were written in `bitmap`. */
  async dmaLoggingReport(
    iova: bigint,
    length: bigint,
    pageSize: number,
    bitmap: BigUint64Array,
  ): Promise<number> {
    const log = this.#log(feature.DMA_LOGGING_REPORT, operation.GET)
    if (typeof log === 'number') return log
    const report = checkReport(iova, length, pageSize, bitmap)
    if (typeof report === 'number') return report
    return await this.#locked(() => log.report(iova, length, report))
  }

  #log(id: number, operations: number): DmaLog | number {
    const checked = checkFeature(id, operations, this.options)
    return checked < 0 ? checked : (this.driver.log ?? -errno.ENOTTY)
  }
}
