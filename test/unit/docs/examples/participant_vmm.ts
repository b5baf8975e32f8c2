// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, participants, pciParticipant, type Participant } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const vcpus: { run: boolean; registers: Uint8Array } = { run: true, registers: new Uint8Array(64) }

const vmm: Participant = {
  quiesce() {
    vcpus.run = false
  },
  stopped: ({ devices }) => devices.map((_, index) => (index === 0 ? vcpus.registers : undefined)),
  restored({ sideData: [registers] }) {
    if (registers?.length !== 64) throw new Error('these are no registers of ours')
    vcpus.registers = registers
  },
  running() {
    vcpus.run = true
  },
  resumed() {
    vcpus.run = true
  },
}

await using from = await openDevice(new MockDevice())
await using to = await openDevice(new MockDevice())
const report = await migrate({
  from,
  to,
  participant: participants([vmm, pciParticipant()]),
  participantLimits: { quiesce: 2000 },
})
const called = report.participant.map(({ moment }) => moment)
assert.deepEqual(called, ['quiesce', 'stopped', 'restored', 'running', 'released'])
assert.equal(vcpus.run, true)
