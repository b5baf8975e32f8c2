// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import type { ErrnoName } from '#lib/kernel/errno.js'
import { missingFlags, type StateName } from '#lib/kernel/state.js'
import {
  faultPoints,
  flavourNames,
  MockDevice,
  VirtualClock,
  type Fault,
  type FaultPoint,
} from 'vfio-migrate/mock'
import { Hand } from './hand.js'

/** Over every arc that there is, in a row; what the device lacks is left out. */
const walk: readonly StateName[] = [
  ...(['RUNNING_P2P', 'STOP', 'STOP_COPY', 'STOP', 'RUNNING_P2P', 'RUNNING', 'STOP', 'RUNNING'] as const),
  ...(['PRE_COPY', 'PRE_COPY_P2P', 'PRE_COPY', 'RUNNING', 'RUNNING_P2P', 'PRE_COPY_P2P'] as const),
  ...(['RUNNING_P2P', 'RUNNING', 'PRE_COPY'] as const),
]

/** All of one session, with a question where it can be asked. */
async function read(session: SessionCalls, clock: VirtualClock): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for (let asked = 0; asked < 3;) {
    const { result, data } = await session.read(2 ** 20, 0)
    if (result > 0) chunks.push(data)
    else asked++
    // A driver that asks its device once a second is given the time.
    if (result <= 0) await clock.sleep(2000)
    if (result <= 0) await session.precopyInfo()
  }
  return Buffer.concat(chunks)
}

/** Everything that can be asked of a device; where a step fails it is reset, and gone on with. */
async function everything(hand: Hand, clock: VirtualClock): Promise<void> {
  const { calls } = hand.backend
  const { capabilities } = hand.mock.options
  for (const state of walk) {
    if (missingFlags(state, capabilities).length > 0) continue
    if (typeof (await hand.answer(state)) === 'string') await calls.reset()
  }
  const first = await readFrom(hand, clock)
  await hand.set('STOP_COPY')
  const rest = await readFrom(hand, clock)
  const { session } = await hand.set('RESUMING')
  await session?.write(Buffer.concat([first, rest]))
  await hand.set('RUNNING')
  await calls.dataSize()
  await calls.dmaLoggingStart(4096, BigUint64Array.of(0n, 65_536n))
  await calls.dmaLoggingReport(0n, 65_536n, 4096)
  await calls.reset()
}

async function readFrom(hand: Hand, clock: VirtualClock): Promise<Buffer> {
  const state = hand.mock.state
  const isSaving = state === 'PRE_COPY' || state === 'STOP_COPY'
  return isSaving ? await read(hand.session, clock).catch(() => Buffer.alloc(0)) : Buffer.alloc(0)
}

function faultAt(on: FaultPoint, rule: { errno?: readonly ErrnoName[]; bytes?: true }): Fault {
  const [errno] = rule.errno ?? []
  if (errno) return { on, errno }
  return rule.bytes ? { on, flip: 3 } : { on }
}

for (const flavour of flavourNames) {
  const { capabilities } = new MockDevice({ flavour }).options
  describe(`${flavour}: a fault that is accepted strikes at`, () => {
    for (const [on, rule] of Object.entries(faultPoints({ flavour, capabilities }))) {
      it(on, async () => {
        const clock = new VirtualClock()
        const mock = new MockDevice({
          flavour,
          clock,
          dirty: '64KiB/s',
          faults: [faultAt(on as FaultPoint, rule)],
        })
        await everything(new Hand(mock), clock)
        assert.deepEqual(mock.unusedFaults(), [])
      })
    }
  })
}
