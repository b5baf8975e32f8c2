// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import { checkOptions, type CheckedOptions } from './check_options.ts'
import { Migration } from './migration.ts'
import type { MigrateOptions } from './options.ts'
import { MigrationError, type MigrationReport } from './report.ts'
import { withLocks } from './locks.ts'

/**
 * Moves the state of one device, or of several as one, into others on this host: checks what can be known beforehand;
 * pre-copy in rounds, until the stop rule says switch; then all devices stop, none before all are in their P2P state; the
 * destination proves that it has everything by count, sum, record boundary and its RESUMING -> STOP; it is committed, and
 * runs; the source ends in STOP. Until the commit everything can be taken back, and is on any failure: docs/recovery.md
 * says where each device ends. Once the destination runs the migration has happened: should the source not stop then, its
 * report says so.
 *
 * @throws TypeError or RangeError for what is no device or no such option, and for devices that live by two clocks.
 * @throws VfioError ERR_VFIO_REFUSED (a PreflightError) for what cannot be moved, ERR_VFIO_LOCKED for a device that another
 * process migrates, with all devices as they were.
 * @throws what asking the devices throws, ERR_VFIO_CLOSED for instance, likewise.
 * @throws MigrationError whose report says where all devices are.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const checked = checkOptions(options)
  return await withLocks([...checked.from, ...checked.to], async () => await run(checked))
}

async function run(options: CheckedOptions): Promise<MigrationReport> {
  const { report, failure, isAsBefore, isBegun } = await new Migration(options).run()
  if (failure === undefined) return report
  const isUntouched = !isBegun || (isAsBefore && isRefusal(failure.error))
  throw isUntouched ? failure.error : new MigrationError(failure.error, report)
}

/** It was not begun, rather than that it failed. */
function isRefusal(error: unknown): boolean {
  if (error instanceof VfioError) return error.code === 'ERR_VFIO_REFUSED'
  return error instanceof Error && error.name === 'AbortError'
}
