// SPDX-License-Identifier: Apache-2.0
import { contract } from './suite.ts'
import { servedMock, type ServedKind } from './subjects/served_mock.ts'

const drivers: readonly (readonly [ServedKind['flavour'], flags: number, logging: boolean])[] = [
  ['mlx5', 7, true],
  ['virtio', 7, false],
  ['hisi_acc', 5, false],
  ['qat', 7, false],
  ['pds', 3, true],
  ['xe', 3, false],
  ['mtty', 7, true],
]

for (const [flavour, flags, logging] of drivers) contract(servedMock({ flavour, flags, logging }))
