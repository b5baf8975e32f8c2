// SPDX-License-Identifier: Apache-2.0
import { errno, type ErrnoName } from '../kernel/errno.ts'

/** What the firmware answers, by the names that its headers have for it. */
export const status = {
  OK: 0x0,
  INTERNAL: 0x1,
  BAD_PARAMETER: 0x3,
  BAD_SYSTEM_STATE: 0x4,
  LIMIT: 0x8,
  BAD_RESOURCE_STATE: 0x9,
  BAD_INPUT_LENGTH: 0x50,
} as const

/** Source: drivers/net/ethernet/mellanox/mlx5/core/cmd.c of Linux 7.2. What is not in it is EIO. */
const errnos: Readonly<Record<number, ErrnoName>> = {
  0x2: 'EINVAL',
  0x3: 'EINVAL',
  0x5: 'EINVAL',
  0x6: 'EBUSY',
  0x7: 'EAGAIN',
  0x8: 'ENOMEM',
  0x9: 'EINVAL',
  0xa: 'EINVAL',
  0xf: 'EAGAIN',
  0x10: 'EINVAL',
  0x30: 'EINVAL',
  0x40: 'EINVAL',
}

/** What a status is to the call that waits for it: 0, or -errno. */
export function statusErrno(code: number): number {
  return code === status.OK ? 0 : -errno[errnos[code] ?? 'EIO']
}
