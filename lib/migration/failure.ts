// SPDX-License-Identifier: Apache-2.0

/** A failure that is to be told, whatever it is that was thrown. */
export interface Failure {
  readonly error: unknown
}
