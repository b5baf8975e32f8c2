// SPDX-License-Identifier: Apache-2.0
import { participants, pciParticipant, type Participant } from 'vfio-migrate'

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

export const participant = participants([vmm, pciParticipant()]) // what migrate() takes as `participant`
