// SPDX-License-Identifier: Apache-2.0
// A migration between two simulated devices, under a workload, in a few seconds and in this process.
import { setupLibrary } from '../setup.mjs'
import { mebibytes, Timeline } from './timeline.mjs'

const mebibyte = 1024 ** 2
const bandwidth = { save: 80 * mebibyte, load: 100 * mebibyte }
const latency = {
  SUSPEND_INITIATOR: 15,
  SUSPEND_RESPONDER: 15,
  RESUME_RESPONDER: 15,
  RESUME_INITIATOR: 15,
  QUERY: 2,
  SAVE: 20,
  LOAD: 20,
}
const common = { flavour: 'mlx5', size: 64 * mebibyte, bandwidth, latency }
const workload = { dirty: 24 * mebibyte, workingSet: 12 * mebibyte }

/** @returns {Promise<number>} the exit status */
export async function demonstrate() {
  // Who reads no further, such as head, has seen enough; simulated devices leave nothing behind.
  process.stdout.on('error', error => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
  await setupLibrary()
  const { migrate, openDevice } = await import('vfio-migrate')
  const { MockDevice } = await import('vfio-migrate/mock')
  const from = new MockDevice({ ...common, ...workload })
  const to = new MockDevice(common)
  const source = await openDevice(from)
  const destination = await openDevice(to)
  console.log(`Two simulated ConnectX functions: no hardware, no kernel; every time is an option of the simulation.
The source has ${mebibytes(common.size)} of state, and a workload that writes ${mebibytes(workload.dirty)} of it a second.`)
  tellDigests(from, to)
  const timeline = new Timeline(
    [
      { side: 'source', events: () => from.history, bytesPerSecond: bandwidth.save },
      { side: 'destination', events: () => to.history, bytesPerSecond: bandwidth.load },
    ],
    { now: () => source.clock.now(), output: process.stdout },
  )
  const onProgress = progress => timeline.onProgress(progress)
  const report = await migrate({ from: source, to: destination, onProgress }).finally(() => timeline.stop())
  tellDigests(from, to)
  const [pair] = report.devices
  const equal = from.digest() === to.digest()
  console.log(`${equal ? 'The same state' : 'NOT the same state'} at both ends.
${mebibytes(report.bytes)} moved, ${mebibytes(report.precopyBytes)} of them while the source ran. Downtime ${report.downtimeMs.toFixed(0)} ms, of ${report.totalMs.toFixed(0)} ms in all.
The source is in ${pair.source.state}, the destination in ${pair.destination.state}.

npm run demo -- --mlx5 does it with the kernel's own mlx5 driver, --kernel with its sample driver, in a virtual machine.`)
  await source.close()
  await destination.close()
  return equal ? 0 : 1
}

/** Over all of the state: equal digests mean equal bytes. */
function tellDigests(from, to) {
  console.log(`\n  source       digest ${from.digest()}\n  destination  digest ${to.digest()}\n`)
}
