// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { findingsOf, preflightRules } from '#lib/checks/preflight.js'
import type { Finding } from '#lib/checks/preflight_facts.js'
import {
  cases,
  dmaLogging,
  elsewherePairs,
  limited,
  logsNothing,
  macA,
  macB,
  noMigration,
  noP2p,
} from './preflight_cases.js'
import {
  elsewhere,
  hardware,
  mebibyte,
  move,
  pairOf,
  port,
  source,
  withPort,
  type Case,
} from './preflight_move.js'

function idsOf(subject: Case): string[] {
  return findingsOf(move(subject)).map(({ id }) => id)
}

function only(subject: Case): Finding {
  const [finding, ...others] = findingsOf(move(subject))
  assert.ok(finding !== undefined && others.length === 0, 'one finding was expected')
  return finding
}

describe('the rules of the preflight', () => {
  it('have nothing to say of two equal functions', () => assert.deepEqual(findingsOf(move()), []))

  it('have a case each, and none that is of no rule', () => {
    assert.deepEqual(Object.keys(cases).sort(), preflightRules.map(({ id }) => id).sort())
  })

  for (const [id, examples] of Object.entries(cases)) {
    it(`tell ${id} where it is so, and nothing where it is close to that`, () => {
      for (const { does, doesNot } of examples) {
        assert.ok(idsOf(does).includes(id), `${id} should apply to ${inspect(does)}`)
        assert.deepEqual(idsOf(doesNot), [], inspect(doesNot))
      }
    })
  }

  it('say all that is the matter at once, in words that name the device', () => {
    const subject = {
      to: { driver: 'mtty', state: 'RESUMING', capabilities: noP2p },
      others: [pairOf(1)],
    } as const
    const found = findingsOf(move(subject))
    assert.deepEqual(
      found.map(({ id, device }) => [id, device]),
      [
        ['driver-differs', '0000:08:00.2'],
        ['destination-state', '0000:08:00.3'],
        ['set-without-p2p', '0000:08:00.3'],
      ],
    )
    for (const { cause, remedy, device } of found) {
      assert.match(cause, new RegExp(`'${device}'.*\\.$`))
      assert.match(remedy, /^\S.*\.$/)
    }
  })

  it('do not mind pre-copy on one side only: it is the source that saves', () => {
    const without = { capabilities: { ...source.capabilities, preCopy: false } }
    assert.deepEqual([idsOf({ from: without }), idsOf({ to: without })], [[], []])
  })

  it('speak of facts that came over a wire as of those from here', () => {
    const subject = move({ to: { driver: undefined, ...withPort({ vlan: 7 }) }, machines: { to: elsewhere } })
    const sent = JSON.parse(JSON.stringify(subject)) as typeof subject
    assert.deepEqual(findingsOf(sent), findingsOf(subject))
  })

  it('name the limit, what it leaves and what is needed', () => {
    const { cause, remedy } = only({ machines: { from: limited(140 * mebibyte), to: elsewhere } })
    assert.equal(
      cause,
      'The kernel needs about 141 MiB for the state, and memory.max of the cgroup /job leaves 140 MiB.',
    )
    assert.match(remedy, /Raise the limit/)
  })

  it('count a set on one physical function with both of its sides, and name both', () => {
    const { cause, device } = only({ others: [pairOf(1), pairOf(2)] })
    assert.deepEqual(
      [device, cause],
      [
        source.name,
        '6 virtual functions of 0000:08:00.0 would move at a time (sources: 3, destinations: 3), and it is to be at most 4.',
      ],
    )
    const others = elsewherePairs(4)
    assert.match(only({ to: { hardware: undefined }, others }).cause, /^5 .* at a time \(sources: 5, dest/)
  })

  it('tell why a device does not migrate, in the words in which it was told', () => {
    const told = "'0000:08:00.3' does not migrate: …"
    const { cause } = only({ to: { capabilities: noMigration, state: undefined, notMigratable: told } })
    assert.equal(cause, told)
  })

  it('name the device that logs no DMA, and what may be done without', () => {
    const { device, cause, remedy } = only({
      from: logsNothing,
      others: [pairOf(1)],
      options: { dmaLogging },
    })
    assert.equal(device, source.name)
    assert.match(cause, /^'0000:08:00\.2' does not log its DMA: .*DMA_LOGGING/)
    assert.match(remedy, /^Leave dmaLogging out/)
  })

  it('give the command that makes the ports alike', () => {
    const vlan = only({ from: withPort({ vlan: 100 }) })
    assert.equal(vlan.remedy, 'Before it runs: ip link set dev ens1f0np0 vf 1 vlan 100.')
    const mac = only({ from: withPort({ mac: macA }), to: withPort({ mac: macB, spoofCheck: true }) })
    assert.equal(mac.remedy, `Before it runs: ip link set dev ens1f0np0 vf 1 mac ${macA}.`)
  })

  it('name the attributes of the ports that differ, and no others', () => {
    const { cause, remedy } = only({
      from: withPort({ attributes: { roce: 'enable', ipsec_crypto: 'disable' } }),
      to: withPort({ attributes: { roce: 'disable', ipsec_crypto: 'disable' } }),
    })
    assert.match(cause, /has roce enable, that of '0000:08:00.3' roce disable/)
    assert.match(remedy, /unbound: devlink port function set pci\/0000:08:00\.0\/32769 roce enable\.$/)
  })
})

describe('overrides', () => {
  const differing = {
    to: { hardware: { ...hardware, firmware: { ...hardware.firmware, version: '1' } }, port },
  }

  it('keep a rule from refusing, and what it found is told all the same', () => {
    const before = only(differing)
    const after = only({ ...differing, options: { overrides: ['firmware-differs'] } })
    assert.deepEqual([before.level, before.overridden, after.overridden], ['refuse', false, true])
    assert.deepEqual({ ...after, overridden: false }, before)
  })

  it('are for the rules that can be meant: of others and of none they are mistakes, and the ids are listed', () => {
    const ids = preflightRules.filter(({ overridable }) => overridable).map(({ id }) => id)
    const list = new RegExp(`${ids.join(', ')}$`)
    for (const [id, what] of [
      ['same-device', /cannot be overridden/],
      ['firmware', /there is no rule 'firmware'/],
    ] as const) {
      const attempt = () => findingsOf(move({ options: { overrides: [id] } }))
      assert.throws(attempt, { name: 'TypeError', message: what })
      assert.throws(attempt, { message: list })
    }
  })

  it('cannot make one device two, or a state fit another driver', () => {
    const never = preflightRules.filter(({ overridable }) => !overridable).map(({ id }) => id)
    assert.deepEqual(never.sort(), [
      'destination-state',
      'device-twice',
      'driver-differs',
      'no-dma-logging',
      'not-migratable',
      'same-device',
      'set-without-p2p',
      'source-state',
    ])
  })

  it('need not be for how many may move at a time: that has a number, from 1', () => {
    assert.throws(() => findingsOf(move({ options: { perPfLimit: 0 } })), RangeError)
    assert.throws(() => findingsOf(move({ options: { perPfLimit: '4' as unknown as number } })), TypeError)
  })
})
