// SPDX-License-Identifier: Apache-2.0
import { openDevice } from 'vfio-migrate'

const [from = '', to = ''] = process.argv.slice(2) // PCI address, mdev UUID, vfio3, a /dev/vfio path
await using source = await openDevice(from)
await using destination = await openDevice(to)

await destination.setState('RESUMING')
await source.setState('PRE_COPY') // it goes on running while its state is read
for await (const chunk of source.savingStream.chunks({ until: 'idle' }))
  destination.resumingStream.write(chunk)
console.log(await source.precopyInfo()) // { initialBytes, dirtyBytes, bufferedBytes, reinit }

await source.setState('STOP_COPY') // it stops; the rest comes
for await (const chunk of source.savingStream.chunks()) destination.resumingStream.write(chunk)
await new Promise<void>(resolve => destination.resumingStream.end(resolve))
for (const { from, to, ms } of await destination.setState('RUNNING'))
  console.log(`${from} -> ${to}: ${ms} ms`)
