// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, PreflightError, type Device } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { ScriptedDevice } from '../device/scripted_device.js'

const dmaLogging = {
  pageSize: 4096,
  ranges: [{ iova: 0n, length: 65_536n }],
  onDirty: () => assert.fail('nothing is logged'),
}

async function refusal(from: Device, to: Device): Promise<PreflightError> {
  const error: unknown = await migrate({ from, to, dmaLogging }).catch((error: unknown) => error)
  assert.ok(error instanceof PreflightError, String(error))
  return error
}

describe('migrate() with dmaLogging', () => {
  it('refuses a mock that does not log, with everything else that is the matter, and touches nothing', async () => {
    const clock = new VirtualClock()
    const mocks = [
      new MockDevice({ clock, name: 'source', capabilities: { dmaLogging: false } }),
      new MockDevice({ clock, name: 'destination', flavour: 'xe' }),
    ]
    const [from = assert.fail(), to = assert.fail()] = await Promise.all(
      mocks.map(async mock => await openDevice(mock)),
    )
    const { message, findings } = await refusal(from, to)
    assert.deepEqual(
      findings.map(({ id, device }) => [id, device]),
      [
        ['driver-differs', 'source'],
        ['no-dma-logging', 'source'],
      ],
    )
    assert.match(message, /refused for 2 reasons; nothing was touched/)
    for (const { history } of mocks)
      assert.ok(history.every(event => event.kind !== 'call' || !/^(setStates|dmaLogging)/.test(event.call)))
  })

  it('refuses an fd that does not log', async () => {
    const [source, destination] = [new ScriptedDevice('fd:7', 'lent'), new ScriptedDevice('fd:8', 'lent')]
    source.logs = false
    const [from, to] = [await openDevice(source), await openDevice(destination)]
    const { findings } = await refusal(from, to)
    assert.ok(findings.some(({ id, device }) => id === 'no-dma-logging' && device === 'fd:7'))
    for (const { log } of [source, destination]) assert.ok(log.every(entry => !/^(SET|LOG)/.test(entry)))
  })

  it('needs no log of the destination, and none of a source that is not to be logged', async () => {
    const clock = new VirtualClock()
    const capabilities = { dmaLogging: false }
    for (const logged of [true, false]) {
      await using from = await openDevice(
        new MockDevice({ clock, name: 'from', ...(!logged && { capabilities }) }),
      )
      await using to = await openDevice(new MockDevice({ clock, name: 'to', capabilities }))
      const onDirty = (): void => undefined
      const options = logged ? { dmaLogging: { ...dmaLogging, onDirty } } : {}
      assert.equal((await migrate({ from, to, ...options })).outcome, 'destination')
    }
  })
})
