// SPDX-License-Identifier: Apache-2.0
import { release } from 'node:os'

/** True when the guest's kernel is of the series `major.minor` or newer. */
export function isAtLeast(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = release().split(/[.-]/).map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}
