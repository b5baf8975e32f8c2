// SPDX-License-Identifier: Apache-2.0
import { contract } from './suite.ts'
import { mock, type MockKind } from './subjects/mock.ts'

/** The flags of each driver by kernel; a kernel that has no such driver, or one that does not migrate, has no number. */
const drivers: readonly (readonly [MockKind['flavour'], '6.12' | '7.2', flags: number, logging: boolean])[] =
  [
    ['mlx5', '6.12', 7, true],
    ['mlx5', '7.2', 7, true],
    ['virtio', '6.12', 0, false],
    ['virtio', '7.2', 7, false],
    ['hisi_acc', '6.12', 5, false],
    ['hisi_acc', '7.2', 5, false],
    ['qat', '6.12', 7, false],
    ['qat', '7.2', 7, false],
    ['pds', '6.12', 3, true],
    ['pds', '7.2', 3, true],
    ['xe', '7.2', 3, false],
    ['mtty', '6.12', 7, true],
    ['mtty', '7.2', 7, true],
  ]

for (const [flavour, kernel, flags, logging] of drivers) contract(mock({ flavour, kernel, flags, logging }))

// What can be taken away from mlx5.
for (const kernel of ['6.12', '7.2'] as const) {
  for (const flags of [0, 1, 3, 5, 7]) contract(mock({ flavour: 'mlx5', kernel, flags, logging: false }))
}
