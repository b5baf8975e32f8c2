// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend, Origin } from '../backend/seam.ts'
import { monotonicClock } from '../clock.ts'
import type { StateName } from '../kernel/state.ts'
import { MockDeviceCalls } from './calls.ts'
import { realClock, type MockClock } from './clock.ts'
import { checkIova, checkObject, checkSideData, checkSteps } from './control_arguments.ts'
import { Core } from './core.ts'
import { alwaysReady, type Pf, type Regions } from './drivers/driver.ts'
import { drivers } from './drivers/registry.ts'
import { FaultPlan } from './fault_plan.ts'
import { validateFault, type Fault, type FaultTarget } from './faults.ts'
import { History, type RecordedEvent } from './history.ts'
import type { MockOops } from './oops.ts'
import { resolveOptions, type MockOptions, type ResolvedOptions } from './options.ts'
import { PciRegions } from './region_access.ts'
import type { Run } from './workload.ts'

/**
 * A migratable VFIO device in this process, with a kernel's numbers and manners: real state, real records, real bytes,
 * the driver's errnos, and faults wherever the driver can fail. `openDevice(mock)` takes it like any other device.
 *
 * What it saves another mock of its size and flavour loads; equal digests mean equal bytes. See docs/mock.md.
 */
export class MockDevice {
  readonly options: ResolvedOptions
  readonly name: string
  readonly #clock: MockClock
  readonly #faults = new FaultPlan()
  readonly #history: History
  readonly #core: Core
  readonly #regions: Regions
  #isLent = false
  #sideData = new Uint8Array(0)

  /** @throws TypeError or RangeError for options that no device could have. */
  constructor(options: MockOptions = {}) {
    checkObject(options, 'the options of a mock')
    this.options = frozen(resolveOptions(options))
    this.name = this.options.name
    this.#clock = this.options.clock
    this.#history = new History(() => this.#clock.now())
    const { flavour } = this.options
    const makeDriver = drivers[flavour.name]
    const parts = { options: this.options, clock: this.#clock, faults: this.#faults, history: this.#history }
    this.#core = new Core({ ...parts, makeDriver })
    this.#regions = this.#core.driver.regions ?? new PciRegions(flavour.driver)
    this.#core.onFirstOpen = () => this.#renew()
    for (const fault of this.options.faults) this.#faults.add(fault)
    if (this.options.origin === 'lent') this.#startLender()
  }

  /**
   * Opens it, as by its path: where nobody else has it open that resets it, and so does the last close. A mock of
   * origin 'lent' is lent instead.
   */
  open(): DeviceBackend {
    if (this.options.origin === 'lent') return this.lend()
    this.#core.open()
    return this.#backend('opened')
  }

  /** As an fd that its holder passed on: closing it leaves the holder's state. The holder is started where there is none. */
  lend(): DeviceBackend {
    this.#startLender()
    this.#core.open()
    return this.#backend('lent')
  }

  /** Its holder closes it. */
  async release(): Promise<void> {
    if (!this.#isLent) return
    this.#isLent = false
    await this.#core.close()
  }

  /** 64 bits over all of its state, as 16 hexadecimal digits; see docs/firmware-model.md. */
  digest(): string {
    this.#core.firmware.workload.sync()
    return this.#core.firmware.state.digest()
  }

  /** How many steps of the workload its state has seen. */
  get epoch(): bigint {
    this.#core.firmware.workload.sync()
    return this.#core.firmware.state.epoch
  }

  /** The identity of its state, which moves with it. */
  get seed(): bigint {
    return this.#core.firmware.state.seed
  }

  /** The state of its state machine, as of the last arc that was completed; nobody is asked. */
  get state(): StateName {
    return this.#core.state
  }

  /** When it ran, and over which epochs. */
  get runLog(): readonly Run[] {
    return this.#core.firmware.workload.log
  }

  /** All that it was asked and did. */
  get history(): readonly RecordedEvent[] {
    return this.#history.events
  }

  /** What has crashed its kernel; undefined while nothing has. */
  get crashed(): MockOops | undefined {
    return this.#core.crash
  }

  /** What poll(2) would say of the open session's data_fd: bits of poll.h; undefined without a session. */
  poll(): number | undefined {
    const { session } = this.#core.driver
    return session && (session.poll?.() ?? alwaysReady)
  }

  /** @throws TypeError that names the field for a fault that it cannot have. */
  inject(fault: Fault): void {
    this.#faults.add(validateFault(fault, this.#faultTarget))
  }

  /** Faults that were never reached. */
  unusedFaults(): Fault[] {
    return this.#faults.unused
  }

  /** How many calls and commands faults hold now. */
  get held(): number {
    return this.#faults.held
  }

  /** Resolves when a fault holds something. */
  async untilHeld(): Promise<void> {
    await this.#faults.untilHeld()
  }

  /** Lets go what faults hold. */
  releaseHeld(): void {
    this.#clock.touch()
    this.#faults.release()
  }

  /**
   * Steps of the workload beside those that time brings.
   * @throws TypeError or RangeError for what is no number of steps, Error while it does not run.
   */
  step(steps = 1): void {
    checkSteps(steps, this.epoch)
    this.#checkRunning()
    this.#core.firmware.workload.step(steps)
  }

  /**
   * What belongs to the device and is neither in its stream nor in its regions: a participant carries it. A copy; at
   * most 1 MiB. Empty when the device is opened and nobody else has it open.
   * @throws TypeError for what is no Uint8Array, RangeError for too many bytes.
   */
  get sideData(): Uint8Array {
    return this.#sideData.slice()
  }

  set sideData(bytes: Uint8Array) {
    checkSideData(bytes)
    this.#sideData = new Uint8Array(bytes)
  }

  /**
   * It writes to the I/O page at `iova` by DMA.
   * @throws TypeError or RangeError for what is no address, Error while it does not run.
   */
  writeByDma(iova: bigint): void {
    checkIova(iova)
    this.#checkRunning()
    this.#core.firmware.onDma?.(iova)
  }

  /**
   * It begins with a new initial image: all of its state counts as written.
   * @throws Error for one that was made without `reinit`.
   */
  reinit(): void {
    if (!this.options.reinit) throw new Error(`'${this.name}' cannot begin anew: it was made without reinit`)
    this.#core.firmware.workload.sync()
    this.#core.firmware.reinit()
  }

  /**
   * Its PF takes it away: every call of the firmware answers ENOTCONN from then on.
   * @throws Error for a flavour of which that is not simulated: all but mlx5.
   */
  async detach(): Promise<void> {
    const { detach } = this.#pf
    this.#history.record({ kind: 'event', event: 'detach' })
    await detach()
  }

  /**
   * Its PF gives it back.
   * @throws Error for a flavour of which that is not simulated.
   */
  attach(): void {
    const { attach } = this.#pf
    this.#history.record({ kind: 'event', event: 'attach' })
    attach()
  }

  get #pf(): Pf {
    const { pf } = this.#core.driver
    if (pf !== undefined) return pf
    throw new Error(
      `'${this.name}' is a ${this.options.flavour.name}, and that its PF takes a function away is simulated of mlx5 alone`,
    )
  }

  #renew(): void {
    this.#regions.renew?.()
    this.#sideData = new Uint8Array(0)
  }

  #checkRunning(): void {
    if (this.#core.firmware.workload.isRunning) return
    throw new Error(`'${this.name}' does not run: it is closed, or its initiator is suspended`)
  }

  get #faultTarget(): FaultTarget {
    const { flavour, capabilities } = this.options
    return { flavour: flavour.name, capabilities }
  }

  #startLender(): void {
    if (this.#isLent) return
    this.#isLent = true
    this.#core.open()
  }

  #backend(origin: Origin): DeviceBackend {
    const clock = this.#clock === realClock ? monotonicClock : this.#clock
    const calls = new MockDeviceCalls(this.#core, this.#regions)
    return {
      mock: true,
      name: this.name,
      driver: this.options.flavour.driver,
      origin,
      via: 'backend',
      clock,
      calls,
    }
  }
}

/** As nobody changes it afterwards: what was checked is what holds. */
function frozen(options: ResolvedOptions): ResolvedOptions {
  const { flavour, capabilities } = options
  const target = { flavour: flavour.name, capabilities }
  const faults = options.faults.map(fault => validateFault(fault, target))
  const { latency, bandwidth, dmaLog } = options
  for (const part of [faults, flavour, capabilities, latency, bandwidth, dmaLog]) Object.freeze(part)
  return Object.freeze({ ...options, faults })
}
