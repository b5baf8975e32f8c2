// SPDX-License-Identifier: Apache-2.0
import { pipeline } from 'node:stream/promises'
import { openDevice } from 'vfio-migrate'

const [from = '', to = ''] = process.argv.slice(2) // PCI address, mdev UUID, vfio3, a /dev/vfio path
await using source = await openDevice(from)
await using destination = await openDevice(to)

await destination.setState('RESUMING')
await source.setState('PRE_COPY') // it goes on running while its state is read
const copied = pipeline(source.savingStream, destination.resumingStream)
await source.savingStream.idle() // all that there is for now has been taken
console.log(await source.precopyInfo()) // { initialBytes, dirtyBytes, bufferedBytes, reinit }

await source.setState('STOP_COPY') // it stops; the rest comes, and the stream ends
await copied
for (const { from, to, ms } of await destination.setState('RUNNING'))
  console.log(`${from} -> ${to}: ${ms} ms`)
