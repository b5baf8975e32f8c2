// SPDX-License-Identifier: Apache-2.0
// Resets a device that another process has lent (fds 3 and 4), or leads it to the state that its argument names.
import { openDevice, type StateName } from '#lib/index.js'

async function main(): Promise<void> {
  await using device = await openDevice({ fd: 3, iommufd: 4 })
  const [act = ''] = process.argv.slice(2)
  if (act === 'reset') await device.reset()
  else await device.setState(act as StateName)
}

void main()
