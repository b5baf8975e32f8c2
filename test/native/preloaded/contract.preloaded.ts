// SPDX-License-Identifier: Apache-2.0
import { contract } from '../../contract/suite.ts'
import { fakeKernel } from '../../contract/subjects/fake_kernel.ts'

for (const kernel of ['6.12', '7.2'] as const) {
  for (const flags of [1, 3, 5, 7]) contract(fakeKernel({ flavour: 'mlx5', kernel, flags, logging: false }))
  contract(fakeKernel({ flavour: 'mtty', kernel, flags: 7, logging: true }))
  contract(fakeKernel({ flavour: 'none', kernel, flags: 0, logging: false }))
}
contract(fakeKernel({ flavour: 'mlx5', kernel: '7.2', flags: 7, logging: true }))
