// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type { SessionCalls } from '#lib/backend/seam.js'
import { openDevice } from '#lib/device/open.js'
import type { Device } from '#lib/device/device.js'
import { gate, ScriptedDevice } from './scripted_device.js'

async function resuming(): Promise<{ script: ScriptedDevice; device: Device }> {
  const script = new ScriptedDevice()
  const device = await openDevice(script)
  await device.setState('RESUMING')
  script.log.length = 0
  return { script, device }
}

describe('the resuming stream', () => {
  it('writes all in order; its end keeps the fd, and leaving RESUMING closes it', async () => {
    const { script, device } = await resuming()
    await pipeline(Readable.from([Buffer.from('ab'), Buffer.from('cd')]), device.resumingStream)
    assert.equal(script.session.closed, false)
    assert.equal(device.resumingStream.bytesWritten, 4)
    await device.setState('STOP')
    assert.equal(script.session.closed, true)
    assert.equal(Buffer.concat(script.session.written).toString(), 'abcd')
  })

  it('refuses to leave RESUMING while bytes are being written', async () => {
    const { script, device } = await resuming()
    const { promise, open } = gate<number>()
    script.session.writeAnswer = () => promise
    device.resumingStream.end('ab')
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_BUSY' })
    assert.deepEqual(script.log, ['write 2', 'GET'])
    open(2)
    await finished(device.resumingStream)
    await device.setState('STOP')
  })

  for (const [errno, why] of [
    [-22, /it is not a state of this kind of device, or it is cut short\. Only reset\(\)/],
    [-14, /it is not a state of this kind of device/],
    [-95, /it is not a state of this kind of device/],
    [-12, /no memory .* count to the memory cgroup of this process\. Only reset\(\)/],
    [-110, /firmware did not answer after 0 bytes: see dmesg\. Only reset\(\)/],
    [-19, /The session is over after 0 bytes: the device was reset, or it is gone\. Ask state\(\)/],
    [-5, /refused the state after 0 bytes, and says no more than that: see dmesg/],
  ] as const) {
    it(`tells by errno ${errno} what is wrong, and blames the bytes only where the driver does`, async () => {
      const { script, device } = await resuming()
      script.session.writeAnswer = () => errno
      const failure = once(device.resumingStream, 'error')
      device.resumingStream.write('ab')
      const [error] = (await failure) as [Error]
      assert.match(error.message, why)
      if (![-22, -14, -95].includes(errno)) assert.doesNotMatch(error.message, /this kind of device/)
    })
  }

  describe('whose backend holds copies of two pieces', () => {
    const mebibyte = 1 << 20
    /** Of a stream of which two pieces may be ahead: the writes that are not answered, and the callbacks that came. */
    async function ahead() {
      const { script, device } = await resuming()
      Object.assign(script.session, { writeAhead: 2 })
      const writes: ((answer: number) => void)[] = []
      script.session.writeAnswer = () => new Promise(resolve => writes.push(resolve))
      const stream = device.resumingStream
      const called: number[] = []
      const write = (name: number, bytes: number) =>
        stream.write(new Uint8Array(bytes), () => called.push(name))
      const answer = async (result: number): Promise<void> => {
        writes.shift()?.(result)
        await turn()
      }
      return { script, device, stream, called, write, answer }
    }

    it('calls back when a copy is held, and for a third write when one of the others is taken', async () => {
      const { stream, called, write, answer } = await ahead()
      for (const name of [1, 2, 3]) write(name, 10)
      await turn()
      assert.deepEqual([called, stream.bytesWritten], [[1, 2], 0])
      await answer(10)
      assert.deepEqual([called, stream.bytesWritten], [[1, 2, 3], 10])
    })

    it('counts a write of several pieces as those', async () => {
      const { called, write, answer } = await ahead()
      write(1, 2 * mebibyte + 1)
      await turn()
      assert.deepEqual(called, [])
      await answer(2 * mebibyte + 1)
      assert.deepEqual(called, [1])
    })

    it('calls back for memory that a read has lent when the device has taken it', async () => {
      const { script, stream, called, answer } = await ahead()
      const chunk = Buffer.alloc(10)
      script.session.lent.add(chunk.buffer)
      stream.write(chunk, () => called.push(1))
      await turn()
      assert.deepEqual(called, [])
      await answer(10)
      assert.deepEqual(called, [1])
    })

    it('calls back with the failure for memory that was taken back while it waited', async () => {
      const { script, stream, answer } = await ahead()
      stream.on('error', () => undefined)
      const [first, second] = [Buffer.alloc(10), new Uint8Array(10)]
      script.session.lent.add(first.buffer)
      stream.write(first)
      const failed = new Promise<NodeJS.ErrnoException | null | undefined>(resolve =>
        stream.write(second, resolve),
      )
      structuredClone(second.buffer, { transfer: [second.buffer] })
      await answer(10)
      assert.equal((await failed)?.code, 'EFAULT')
    })

    it('finishes, and lets RESUMING be left, when the device has taken all', async () => {
      const { device, stream, write, answer } = await ahead()
      write(1, 10)
      await turn()
      await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_BUSY' })
      const done = finished(stream.end())
      await turn()
      assert.equal(stream.writableFinished, false)
      await answer(10)
      await done
      await device.setState('STOP')
    })

    it('tells a failure after the callback as an error, which is final', async () => {
      const { device, stream, called, write, answer } = await ahead()
      const failure = once(stream, 'error')
      write(1, 10)
      write(2, 10)
      await turn()
      await answer(-5)
      const [error] = (await failure) as [NodeJS.ErrnoException]
      assert.deepEqual([error.code, called], ['EIO', [1, 2]])
      await answer(-19)
      await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_LOAD_FAILED' })
    })

    it('tells a failure to whoever waits for the end', async () => {
      const { stream, write, answer } = await ahead()
      write(1, 10)
      await turn()
      const told = assert.rejects(finished(stream.end()), { code: 'EIO' })
      await answer(-5)
      await told
    })
  })

  it('waits for what comes past it, of all that it is given, and writes none of that', async () => {
    const { script, device } = await resuming()
    const asked: number[] = []
    Object.assign(script.session, {
      relayed: (bytes: number) => (asked.push(bytes), Promise.resolve(bytes > 5 ? -5 : bytes)),
    })
    const stream = device.resumingStream
    const failure = once(stream, 'error')
    assert.equal(stream.relayFrom({ relayTo: to => (to === script.session ? 0 : -22) } as SessionCalls), true)
    await stream.load(Buffer.from('ab'))
    await stream.load(Buffer.from('cde'))
    assert.equal(stream.bytesWritten, 5)
    await assert.rejects(stream.load(Buffer.from('f')), { code: 'EIO', syscall: 'write' })
    await failure
    assert.deepEqual([asked, script.session.written], [[2, 5, 6], []])
  })

  it('is destroyed where nothing more is to come past it, and left alone where nothing did', async () => {
    const { script, device } = await resuming()
    const stream = device.resumingStream
    stream.cutRelay()
    assert.equal(stream.destroyed, false)
    stream.relayFrom({ relayTo: () => 0 } as unknown as SessionCalls)
    stream.cutRelay()
    assert.deepEqual([stream.destroyed, script.session.closed], [true, true])
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_LOAD_FAILED' })
  })

  it('writes what it is given where nothing comes past it', async () => {
    const { script, device } = await resuming()
    const stream = device.resumingStream
    assert.equal(stream.relayFrom({} as SessionCalls), false)
    assert.equal(stream.relayFrom({ relayTo: () => -22 } as unknown as SessionCalls), false)
    await stream.load(Buffer.from('ab'))
    assert.deepEqual(script.session.written, [Buffer.from('ab')])
  })

  it('fails at a chunk whose memory was taken back before it was written, and writes nothing behind it', async () => {
    const { script, device } = await resuming()
    const stream = device.resumingStream
    const failure = once(stream, 'error')
    const [before, taken, behind] = ['ab', 'cd', 'ef'].map(text => new Uint8Array(Buffer.from(text))) as [
      Uint8Array<ArrayBuffer>,
      Uint8Array<ArrayBuffer>,
      Uint8Array<ArrayBuffer>,
    ]
    stream.cork()
    for (const chunk of [before, taken, behind]) stream.write(chunk)
    structuredClone(taken.buffer, { transfer: [taken.buffer] })
    stream.uncork()
    const [error] = (await failure) as [NodeJS.ErrnoException]
    assert.deepEqual([error.code, error.syscall], ['EFAULT', 'write'])
    assert.match(error.message, /taken back before it was written: .* Await the callback/)
    assert.deepEqual(script.session.written, [Buffer.from('ab')])
    await assert.rejects(device.setState('RUNNING'), { code: 'ERR_VFIO_LOAD_FAILED' })
  })

  it('takes chunks without a byte', async () => {
    const { script, device } = await resuming()
    const stream = device.resumingStream
    for (const text of ['', 'ab', '']) stream.write(Buffer.from(text))
    stream.end()
    await finished(stream)
    assert.equal(Buffer.concat(script.session.written).toString(), 'ab')
  })

  it('makes any failure final: the device takes reset() only', async () => {
    const { script, device } = await resuming()
    script.session.writeAnswer = () => -14
    const stream = device.resumingStream
    const failure = once(stream, 'error')
    stream.write('ab')
    const [error] = (await failure) as [NodeJS.ErrnoException]
    assert.deepEqual([error.code, error.syscall], ['EFAULT', 'write'])
    script.log.length = 0
    await assert.rejects(device.setState('RUNNING'), {
      code: 'ERR_VFIO_LOAD_FAILED',
      recovery: 'reset',
      state: 'RESUMING',
    })
    assert.deepEqual(script.log, ['GET'])
    await device.reset()
    assert.equal(await device.state(), 'RUNNING')
  })

  it('takes its destruction before the end for a failure', async () => {
    const { device } = await resuming()
    device.resumingStream.destroy()
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_LOAD_FAILED' })
  })

  it('lets RESUMING be left when nothing was written: the driver decides', async () => {
    const { script, device } = await resuming()
    await device.setState('STOP')
    assert.deepEqual(script.log, ['GET', 'SET 1'])
  })

  it('never writes into a session that is over', async () => {
    const { script, device } = await resuming()
    const stream = device.resumingStream
    stream.on('error', () => undefined)
    await device.setState('STOP')
    script.log.length = 0
    stream.write('late')
    assert.deepEqual(script.log, [])
    assert.throws(() => device.resumingStream, { code: 'ERR_VFIO_NO_SESSION' })
  })

  it('counts what was taken when one of many writes fails', async () => {
    const { script, device } = await resuming()
    const answers = [2, -22, -19]
    script.session.writeAnswer = () => answers.shift() ?? 0
    const stream = device.resumingStream
    const failure = once(stream, 'error')
    stream.cork()
    stream.write('ab')
    stream.write('cd')
    stream.write('ef')
    stream.uncork()
    const [error] = (await failure) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'EINVAL', 'the first failure is the one that is told')
    assert.equal(stream.bytesWritten, 2)
  })

  it('does not end the process when a reset overtakes a write that nobody listens for', async () => {
    const { script, device } = await resuming()
    const { promise, open } = gate<number>()
    script.session.writeAnswer = () => promise
    const told = new Promise(resolve => device.resumingStream.write('ab', resolve))
    await device.reset()
    open(-19)
    assert.equal(((await told) as NodeJS.ErrnoException).code, 'ENODEV')
  })
})
