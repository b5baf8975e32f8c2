// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { open, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monotonicClock } from '#lib/clock.js'
import { realClock, sleep } from '#lib/mock/clock.js'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let k = 0; k < count; k++) await turn()
}

describe('the virtual clock', () => {
  it('jumps to what is due first, one moment after the other, in the order in which it was asked for', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const note = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms)
      seen.push(`${name} at ${clock.now()}`)
    }
    await Promise.all([note('b', 60_000), note('a', 5), note('c', 60_000)])
    assert.deepEqual(seen, ['a at 5', 'b at 60000', 'c at 60000'])
  })

  it('passes a thousand hours within the time of a test', async () => {
    const clock = new VirtualClock()
    for (let k = 0; k < 1000; k++) await clock.sleep(3_600_000)
    assert.equal(clock.now(), 3_600_000_000)
  })

  it('stands still while nobody waits for it', async () => {
    const clock = new VirtualClock()
    await turns(20)
    assert.equal(clock.now(), 0)
  })

  it('does not jump in a turn of the event loop in which a call was made', async () => {
    const clock = new VirtualClock()
    let isOver = false
    void clock.sleep(1).then(() => (isOver = true))
    for (let k = 0; k < 20; k++) {
      clock.touch()
      await turn()
    }
    assert.equal(isOver, false)
    await turns(4)
    assert.equal(isOver, true)
  })

  it('forgets a wait that was taken back', async () => {
    const clock = new VirtualClock()
    const cancel = clock.after(10, () => assert.fail('it was taken back'))
    cancel()
    await clock.sleep(20)
    assert.equal(clock.now(), 20)
  })

  it('stands still while it is held', async () => {
    const clock = new VirtualClock()
    const release = clock.hold()
    const waiting = clock.sleep(7)
    await turns(20)
    assert.equal(clock.now(), 0)
    release()
    release()
    await waiting
    assert.equal(clock.now(), 7)
  })

  it('waits for a file that is being read or written', async () => {
    const clock = new VirtualClock()
    const path = join(tmpdir(), `vfio-migrate-clock-${process.pid}`)
    const file = await open(path, 'w+')
    const sawAt: number[] = []
    try {
      const work = async (): Promise<void> => {
        for (let k = 0; k < 20; k++) await file.write(Buffer.alloc(65_536), 0, 65_536, 0)
        sawAt.push(clock.now())
      }
      await Promise.all([work(), clock.sleep(1)])
    } finally {
      await file.close()
      await rm(path)
    }
    assert.deepEqual(sawAt, [0])
  })

  it('waits for a socket that has yet to take what was written to it', async () => {
    const clock = new VirtualClock()
    const server = createServer(socket => void socket.pause()).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const accepted = new Promise<Socket>(resolve => server.once('connection', resolve))
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const other = await accepted
    const written = new Promise<number>(resolve =>
      client.write(Buffer.alloc(2 ** 24), () => resolve(clock.now())),
    )
    const slept = clock.sleep(1)
    await turns(50)
    assert.equal(clock.now(), 0)
    other.resume()
    assert.equal(await written, 0)
    await slept
    client.destroy()
    other.destroy()
    server.close()
  })

  it('is the clock of the devices that were given it, and the machine is that of the others', () => {
    const clock = new VirtualClock()
    assert.equal(new MockDevice({ clock }).open().clock, clock)
    assert.equal(new MockDevice().open().clock, monotonicClock)
  })
})

describe("the machine's clock", () => {
  it('waits for parts of a millisecond', async () => {
    for (const ms of [0.2, 3.3]) {
      const begun = monotonicClock.now()
      await sleep(realClock, ms)
      assert.ok(monotonicClock.now() - begun >= ms)
    }
  })

  it('forgets a wait that was taken back', async () => {
    for (const ms of [0.1, 5]) realClock.after(ms, () => assert.fail('it was taken back'))()
    await sleep(realClock, 8)
  })
})
