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

/** What vfio.h says of combined transitions: these have no path, although arcs would lead there. */
function isRefused(from: StateName, to: StateName): boolean {
  return from === 'STOP_COPY' && (to === 'PRE_COPY' || to === 'PRE_COPY_P2P')
}

/** A second way of finding paths: arcs from `from`, breadth first, never through a session on the way. */
function shortest(arcs: readonly string[], from: StateName, to: StateName): number | undefined {
  const sessions = new Set<StateName>(['STOP_COPY', 'RESUMING', 'PRE_COPY', 'PRE_COPY_P2P'])
  const saving = new Set<StateName>(['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'])
  let frontier: StateName[] = [from]
  for (let steps = 0; steps <= stateNames.length; steps++) {
    if (frontier.includes(to)) return steps
    frontier = frontier.flatMap(at => {
      // A session that is begun on the way would be lost, one that goes on is not.
      const stays = saving.has(from) && saving.has(at) && saving.has(to)
      if (at !== from && sessions.has(at) && !stays) return []
      return arcs.filter(arc => arc.startsWith(`${at}>`)).map(arc => arc.split('>')[1] as StateName)
    })
  }
  return undefined
}

describe('every path', () => {
  it('is there exactly where arcs lead, is as short as can be, and takes the next state of each', () => {
    for (const { arcs: list, ...flags } of drivers) {
      const arcs = list.split(' ')
      const states = new Set(arcs.flatMap(arc => arc.split('>') as StateName[]))
      for (const from of stateNames) {
        for (const to of stateNames) {
          const path = pathTo(from, to, flags)
          const known = (states.has(from) && states.has(to)) || from === to
          const length = known && !isRefused(from, to) ? shortest(arcs, from, to) : undefined
          assert.equal(path?.length, length, `${from} to ${to}, ${JSON.stringify(flags)}`)
          let at = from
          for (const next of path ?? []) {
            assert.ok(arcs.includes(`${at}>${next}`), `${at} -> ${next}`)
            assert.equal(nextState(at, to, flags), next)
            at = next
          }
        }
      }
    }
  })
})

describe('any walk over a device', () => {
  it('makes each path that there is, and refuses the others without a SET', async () => {
    const targets = fc.array(state, { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(driver, fc.boolean(), targets, async ({ p2p, preCopy }, direct, walk) => {
        const script = new ScriptedDevice()
        script.flags = 1 + (p2p ? 2 : 0) + (preCopy ? 4 : 0)
        const device = await openDevice(script)
        let at: StateName = 'RUNNING'
        for (const target of walk) {
          const path = pathTo(at, target, { p2p, preCopy })
          script.log.length = 0
          if (path === undefined) {
            await assert.rejects(device.setState(target, { direct }), {
              code: /^ERR_VFIO_(NO_PATH|CAPABILITY)$/,
            })
          } else {
            const arcs = await device.setState(target, { direct })
            assert.deepEqual(
              arcs.map(({ to }) => to),
              direct ? path.slice(-1) : path,
            )
            at = target
          }
          const sets = script.log.filter(entry => entry.startsWith('SET')).length
          assert.equal(sets, path === undefined ? 0 : direct ? Math.min(path.length, 1) : path.length)
          assert.equal(await device.state(), at)
        }
      }),
    )
  })
})
