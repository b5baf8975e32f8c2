// SPDX-License-Identifier: Apache-2.0
// Uses a device that another process has lent: its fd is 3, and what else it needs comes after it.
import { openDevice } from '#lib/index.js'

const [kind] = process.argv.slice(2)
const companions = kind === 'cdev' ? { iommufd: 4 } : { group: 4, container: 5 }

async function main(): Promise<void> {
  const device = await openDevice({ fd: 3, ...companions })
  const { name, origin, via, driver, precopyInfoV2, resetAtOpen } = device
  const found = await device.state()
  await device.setState('STOP_COPY')
  const bytes = Buffer.concat((await device.savingStream.toArray()) as Buffer[]).toString('hex')
  process.stdout.write(
    JSON.stringify({ name, origin, via, driver, precopyInfoV2, resetAtOpen, found, bytes }),
  )
  await device.close()
}

void main()
