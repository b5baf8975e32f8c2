// SPDX-License-Identifier: Apache-2.0

/** The command line cannot be meant as it is. Found before any device is touched. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'ERR_VFIO_USAGE'
}

/** This machine lacks something that the command needs. */
export class PrerequisiteError extends Error {
  override readonly name = 'PrerequisiteError'
  readonly code = 'ERR_VFIO_PREREQUISITE'
}
