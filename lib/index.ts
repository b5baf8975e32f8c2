// SPDX-License-Identifier: Apache-2.0
export { openDevice } from './device/open.ts'
export type { Buffers, LentDevice, OpenOptions } from './device/open.ts'
export { Device, type PrecopyInfo } from './device/device.ts'
export type { SavingStream, Pause } from './device/saving_stream.ts'
export type { ResumingStream } from './device/resuming_stream.ts'
export type { Pumped, PumpOptions, SavingPumpOptions } from './device/pump_options.ts'
export type { AccessWidth, Region, RegionAccess } from './device/regions.ts'
export type { DmaLogging, IovaRange } from './device/dma_logging.ts'
export { isVfioError, VfioError, VfioSystemError } from './errors.ts'
export type { Arc, Recovery, VfioErrorCode } from './errors.ts'
export { isMockName } from './device/mock.ts'
export { checkTarget, planPath, type Edge } from './device/transition.ts'
export { missingFlags, nextState, pathTo, stateNames } from './kernel/state.ts'
export type { MachineFlags, StateName } from './kernel/state.ts'
export type { Capabilities } from './kernel/feature.ts'
export type * from './backend/seam.ts'
export { addonProblem } from './backend/native.ts'
export { kernelFacts } from './host/kernel.ts'
export { listDevices, migratingDriver } from './host/list.ts'
export { describeFd } from './host/fd.ts'
export { findDevice } from './host/find.ts'
export type { DeviceFacts as HostDevice } from './host/facts.ts'
export { whyNotMigratable } from './checks/migratable.ts'
export { preflightRules } from './checks/preflight.ts'
export type { PreflightRule } from './checks/preflight_rule.ts'
export type { Finding, Level, PreflightOptions } from './checks/preflight_facts.ts'
export { migrate } from './migration/migrate.ts'
export type { DirtyPages, DmaLoggingOptions, MigrateOptions, MigrationProgress } from './migration/options.ts'
export { phases, type Phase, type PhaseTime } from './migration/phases.ts'
export { presetPolicy, type PresetPolicyOptions } from './migration/policy.ts'
export type {
  Decision,
  DowntimeParts,
  Forecast,
  Policy,
  PolicyProgress,
  Prediction,
  Reasoned,
  RoundSample,
} from './migration/progress.ts'
export { dryRun, type PlanOptions } from './migration/plan.ts'
export type { PrecopyClass } from './kernel/drivers.ts'
export type {
  MemberArcs,
  MigrationPlan,
  PlannedDevice,
  PlannedPair,
  PlannedPhase,
  PlannedStep,
  SideName,
} from './migration/planned.ts'
export { PreflightError } from './migration/preflight.ts'
export { saveState, type Giver, type Saved, type SaveInto, type SavePhase } from './migration/saving.ts'
export {
  MigrationError,
  type MigrationReport,
  type PairReport,
  type RoundReport,
  type SideReport,
} from './migration/report.ts'
export { maxSideDataBytes, moments } from './migration/participant.ts'
export type { Moment, MomentContext, Outcome, Participant, SideDataList } from './migration/participant.ts'
export { ParticipantError, type MomentLimits, type MomentReport } from './migration/participation.ts'
export { commandParticipant, type MomentCommands } from './participant/command.ts'
export { pciParticipant } from './participant/pci.ts'
export { participants } from './participant/together.ts'
export { unixParticipant, type UnixParticipant } from './participant/unix.ts'
