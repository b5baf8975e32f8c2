// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { findingsOf } from '#lib/checks/preflight.js'
import { noMachine } from '#lib/host/machine.js'
import { deviceFacts, preflight, refuse, type PreflightError, sideFacts } from '#lib/migration/preflight.js'
import { openDevice, VfioError } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import { hardware, move, withPort, type Case } from '../checks/preflight_move.js'
import { ScriptedDevice } from '../device/scripted_device.js'
import { makeTree, removeTree } from '../host/tree.js'
import { common, pf, vf } from '../host/trees.js'

async function mock(options: MockOptions = {}) {
  return await openDevice(new MockDevice(options).open())
}

function refusal(subject: Case): PreflightError {
  const error = refuse(findingsOf(move(subject)))
  assert.ok(error !== undefined)
  return error
}

describe('deviceFacts', () => {
  it('asks the device what it is, and how much state it has', async () => {
    await using device = await mock({ flavour: 'mtty' })
    const { handle, ...facts } = await deviceFacts(device)
    assert.deepEqual(facts, {
      name: device.name,
      driver: 'mtty',
      mock: true,
      origin: 'opened',
      state: 'RUNNING',
      capabilities: device.capabilities,
      stateBytes: 60,
      notMigratable: undefined,
      hardware: undefined,
    })
    assert.equal(handle, (await deviceFacts(device)).handle)
  })

  it('tells two devices of one name apart, and knows one of two names for itself', async () => {
    await using one = await mock({ name: 'same' })
    await using other = await mock({ name: 'same' })
    const [first, again, second] = [await deviceFacts(one), await deviceFacts(one), await deviceFacts(other)]
    const machines = { from: noMachine, to: noMachine }
    assert.deepEqual(preflight([{ from: first, to: second }], machines), [])
    const found = preflight([{ from: first, to: again }], machines)
    assert.deepEqual(
      found.map(({ id }) => id),
      ['same-device'],
    )
  })

  it('does not mind a driver that does not tell the size of its state', async () => {
    await using device = await mock({ faults: [{ on: 'QUERY', errno: 'EIO' }] })
    const { state, stateBytes } = await deviceFacts(device)
    assert.deepEqual([state, stateBytes], ['RUNNING', undefined])
  })

  it('leaves it to the rules to tell why a device does not migrate', async () => {
    await using device = await mock({ flavour: 'virtio', kernel: '6.12' })
    const { state, notMigratable } = await deviceFacts(device)
    assert.equal(state, undefined)
    assert.match(notMigratable ?? '', /does not migrate: it is a mock of virtio_vfio_pci on Linux 6\.12/)
  })

  it('rejects as the device does that is closed', async () => {
    const device = await mock()
    await device.close()
    await assert.rejects(deviceFacts(device), { code: 'ERR_VFIO_CLOSED' })
  })

  it('reads of a kernel device what sysfs and the tools show', async () => {
    const root = await makeTree(common, pf, vf)
    const scripted = new ScriptedDevice('0000:08:00.2')
    await using device = await openDevice(scripted)
    const asked: string[] = []
    const ask = (tool: string) => {
      asked.push(tool)
      return Promise.resolve(undefined)
    }
    const { hardware: read } = await deviceFacts(device, { root, ask })
    await removeTree(root)
    assert.deepEqual(read, {
      ...hardware,
      firmware: { version: undefined, board: undefined },
      port: undefined,
    })
    assert.deepEqual(asked, ['devlink'])
  })

  it('knows no hardware of an fd that does not tell its device', async () => {
    const root = await makeTree(common)
    await using device = await openDevice(new ScriptedDevice('fd:7', 'lent'))
    const { hardware: read } = await deviceFacts(device, { root })
    await removeTree(root)
    assert.equal(read, undefined)
  })
})

describe('sideFacts', () => {
  it('reads nothing of the machine for simulated devices, and lets no simulated time pass', async () => {
    const clock = new VirtualClock()
    await using one = await mock({ clock })
    await using other = await mock({ clock })
    const { devices, machine } = await sideFacts([one, other], { root: '/nowhere' })
    assert.deepEqual([devices.length, machine, clock.now()], [2, noMachine, 0])
  })

  it('is the same over a wire', async () => {
    const root = await makeTree(common, pf, vf, { '/proc/sys/kernel/random/boot_id': '4f6d0c3e\n' })
    await using device = await openDevice(new ScriptedDevice('0000:08:00.2'))
    const facts = await sideFacts([device], { root, ask: () => Promise.resolve(undefined) })
    await removeTree(root)
    assert.deepEqual([facts.machine.bootId, facts.machine.release], ['4f6d0c3e', '6.12.107'])
    const sent = JSON.parse(JSON.stringify(facts)) as typeof facts
    const [here, there] = [facts, sent].map(({ devices: [device], machine }) => {
      assert.ok(device !== undefined)
      return preflight([{ from: device, to: { ...device, name: 'other', handle: 'other' } }], {
        from: machine,
        to: machine,
      })
    })
    assert.deepEqual(there, here)
  })
})

describe('refuse', () => {
  it('refuses nothing for warnings, nor for what is overridden', () => {
    assert.equal(refuse(findingsOf(move({ from: { origin: 'opened' } }))), undefined)
    const options = { overrides: ['vlan-differs'] }
    assert.equal(refuse(findingsOf(move({ to: withPort({ vlan: 7 }), options }))), undefined)
  })

  it('says a single reason as a sentence, with what helps', () => {
    const error = refusal({ to: { driver: 'mtty' }, from: { origin: 'opened' } })
    assert.ok(error instanceof VfioError)
    assert.deepEqual([error.code, error.device], ['ERR_VFIO_REFUSED', '0000:08:00.2'])
    assert.equal(
      error.message,
      "'0000:08:00.2' is driven by mlx5_vfio_pci, '0000:08:00.3' by mtty: a state only fits the driver that made it. " +
        'Give it a destination under mlx5_vfio_pci.',
    )
    assert.deepEqual(
      error.findings.map(({ id }) => id),
      ['driver-differs', 'blank-source'],
    )
  })

  it('names the rule where it can be overridden', () => {
    assert.match(
      refusal({ to: withPort({ vlan: 7 }) }).message,
      /Where it is meant so, override vlan-differs\.$/,
    )
  })

  it('says several reasons in one list, and that nothing was touched', () => {
    const { message, device } = refusal({
      from: { state: 'STOP_COPY' },
      to: { state: 'RESUMING', ...withPort({ vlan: 7 }) },
    })
    const [head, ...lines] = message.split('\n')
    assert.equal(head, 'The migration was refused for 3 reasons; nothing was touched.')
    assert.deepEqual(
      lines.map(line => /^- '([\d:.]+)' is in \S+/.exec(line)?.[1]),
      ['0000:08:00.2', '0000:08:00.3', '0000:08:00.2'],
    )
    assert.match(lines[0] ?? '', /somebody else saves or loads it, or it has failed/)
    assert.equal(device, undefined)
  })
})
