// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nextState, pathTo, stateNames, type StateName } from '#lib/kernel/state.js'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice } from '../unit/device/scripted_device.js'

/** The arcs that a driver implements, by its flags: what vfio.h draws. */
const without = 'RESUMING>STOP STOP>RESUMING STOP>STOP_COPY STOP_COPY>STOP'
const withP2p = 'RUNNING>RUNNING_P2P RUNNING_P2P>RUNNING RUNNING_P2P>STOP STOP>RUNNING_P2P'
const drivers = [
  { p2p: false, preCopy: false, arcs: `${without} RUNNING>STOP STOP>RUNNING` },
  { p2p: true, preCopy: false, arcs: `${without} ${withP2p}` },
  {
    p2p: false,
    preCopy: true,
    arcs: `${without} RUNNING>STOP STOP>RUNNING RUNNING>PRE_COPY PRE_COPY>RUNNING PRE_COPY>STOP_COPY`,
  },
  {
    p2p: true,
    preCopy: true,
    arcs: `${without} ${withP2p} RUNNING>PRE_COPY PRE_COPY>RUNNING PRE_COPY>PRE_COPY_P2P PRE_COPY_P2P>PRE_COPY PRE_COPY_P2P>RUNNING_P2P PRE_COPY_P2P>STOP_COPY RUNNING_P2P>PRE_COPY_P2P`,
  },
]

const state = fc.constantFrom(...stateNames)
const driver = fc.constantFrom(...drivers)

describe('every path', () => {
  it('consists of arcs that the driver has, and takes the next state of each', () => {
    fc.assert(
      fc.property(driver, state, state, ({ arcs, ...flags }, from, to) => {
        const path = pathTo(from, to, flags)
        if (path === undefined) return
        let at = from
        for (const next of path) {
          assert.ok(arcs.split(' ').includes(`${at}>${next}`), `${at} -> ${next}`)
          assert.equal(nextState(at, to, flags), next)
          at = next
        }
        assert.equal(at, to)
        assert.equal(new Set([from, ...path]).size, path.length + 1, 'no state comes twice')
      }),
    )
  })
})

describe('any walk over a device', () => {
  it('ends where it was sent, by the arcs that it reports', async () => {
    const targets = fc.array(state, { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(1, 3, 5, 7), fc.boolean(), targets, async (flags, direct, walk) => {
        const script = new ScriptedDevice()
        script.flags = flags
        const device = await openDevice(script)
        let at: StateName = 'RUNNING'
        for (const target of walk) {
          const arcs = await device.setState(target, { direct }).catch(() => undefined)
          if (arcs === undefined) continue
          if (arcs.length > 0) {
            assert.equal(arcs[0]?.from, at)
            assert.equal(arcs.at(-1)?.to, target)
          }
          at = target
          assert.equal(await device.state(), at)
        }
      }),
    )
  })
})
