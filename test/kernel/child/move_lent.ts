// SPDX-License-Identifier: Apache-2.0
// Moves a device that another process has lent into another one of it: fds 3 and 4 into 5 and 6, each a device and its iommufd.
import { migrate, openDevice } from '#lib/index.js'

async function main(): Promise<void> {
  await using source = await openDevice({ fd: 3, iommufd: 4 })
  await using destination = await openDevice({ fd: 5, iommufd: 6 })
  await migrate({ from: source, to: destination })
}

void main()
