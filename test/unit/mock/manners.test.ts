// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { stateNumber, type StateName } from '#lib/kernel/state.js'
import { Core } from '#lib/mock/core.js'
import type { Session } from '#lib/mock/drivers/driver.js'
import { drivers } from '#lib/mock/drivers/registry.js'
import { FaultPlan } from '#lib/mock/fault_plan.js'
import { flavourNames, flavours, type Flavour, type FlavourName } from '#lib/mock/flavours.js'
import { History } from '#lib/mock/history.js'
import { resolveOptions, type MockOptions } from '#lib/mock/options.js'
import { VirtualClock } from 'vfio-migrate/mock'
import { bytes, drain, Opened, saved } from './drivers/opened.js'
import { said } from './hand.js'

/** Of those whose size can be chosen: two pages, an image of 80 + 8192 bytes. */
const image = 80 + 8192
/** What poll(2) says of an fd that has no handler: IN, OUT, RDNORM, WRNORM. */
const always = 0x145

/** A flavour as it shows itself, written from what its driver does. */
interface Manners {
  /** Where the table says so: the cell. */
  readonly cells: Partial<Flavour>
  /** Of 8 KiB, or of the length that the driver fixes. */
  readonly size?: '8KiB'
  readonly dataSize: number
  /** The firmware's estimate is what it answers: `estimateSlack` shows. */
  readonly asksFirmware?: true
  /** The stream of a stopped device, and its first bytes. */
  readonly streamBytes: number
  readonly begins: string
  /** What there is to read at once in PRE_COPY, the answer behind it, and what poll(2) says then. */
  readonly precopy?: { readonly bytes: number; readonly idle: string | number; readonly poll: number }
  /** A SAVE takes 5 ms: how long SET STOP_COPY and the first read take, and how much that reads. */
  readonly slow?: { readonly set: number; readonly read: number; readonly bytes: number }
}

// prettier-ignore
const manners: Readonly<Record<FlavourName, Manners>> = {
  mlx5: {
    cells: { stream: 'records', streamBytes: undefined, dataSize: 'firmware', precopyBytes: undefined, idle: 'ENOMSG', read: 'blocks', pollable: true },
    size: '8KiB', dataSize: image, asksFirmware: true,
    // Record 0, which says how long the final image may be.
    streamBytes: 24 + 16 + image, begins: '0800000000000000 01000000 01000000',
    precopy: { bytes: 24 + 16 + image, idle: 'ENOMSG', poll: 0 },
    // What is there is given at once.
    slow: { set: 0, read: 0, bytes: 24 },
  },
  virtio: {
    cells: { stream: 'records', streamBytes: undefined, dataSize: 'firmware', precopyBytes: undefined, idle: 'ENOMSG', read: 'never waits', pollable: false },
    size: '8KiB', dataSize: image, asksFirmware: true,
    streamBytes: 16 + image, begins: '5020000000000000 00000000 00000000',
    precopy: { bytes: 16 + image, idle: 'ENOMSG', poll: always },
    slow: { set: 5, read: 0, bytes: 16 + image },
  },
  hisi_acc: {
    cells: { stream: 'struct', streamBytes: 176, dataSize: 176, precopyBytes: 40, idle: 0, read: 'never waits', pollable: false },
    dataSize: 176, streamBytes: 176, begins: 'dedecadeedfeccaa',
    precopy: { bytes: 40, idle: 0, poll: always },
    slow: { set: 5, read: 0, bytes: 176 },
  },
  qat: {
    cells: { stream: 'block', streamBytes: 4096, dataSize: 4096, precopyBytes: undefined, idle: 0, read: 'never waits', pollable: false },
    dataSize: 4096, streamBytes: 4096, begins: 'eacaf5ad 01000000 1000',
    // A preamble, a section, and three in it of 4, 2 and 4 bytes.
    precopy: { bytes: 16 + 16 + 3 * 16 + 4 + 2 + 4, idle: 0, poll: always },
    slow: { set: 5, read: 0, bytes: 4096 },
  },
  pds: {
    cells: { stream: 'opaque', streamBytes: undefined, dataSize: 65_536, precopyBytes: undefined, idle: undefined, read: 'never waits', pollable: false },
    size: '8KiB', dataSize: 65_536, streamBytes: image, begins: '5646494d 01000000',
    slow: { set: 5, read: 0, bytes: image },
  },
  xe: {
    cells: { stream: 'packets', streamBytes: undefined, dataSize: 'computed', precopyBytes: undefined, idle: undefined, read: 'sleeps', pollable: false },
    // GuC, GGTT, MMIO and VRAM, a header each; in the stream a descriptor and a trailer beside them.
    size: '8KiB', dataSize: 4 * 24 + 80 + 64 + 16 + 8192,
    streamBytes: 6 * 24 + 16 + 80 + 64 + 16 + 8192, begins: '01010000 00000000 0000000000000000 1000000000000000',
    // The descriptor is there, and is waited with all the same.
    slow: { set: 0, read: 5, bytes: 6 * 24 + 16 + 80 + 64 + 16 + 8192 },
  },
  mtty: {
    cells: { stream: 'struct', streamBytes: 60, dataSize: 60, precopyBytes: 24, idle: 0, read: 'never waits', pollable: false },
    dataSize: 60, streamBytes: 60, begins: '4e2c3e8c89099d7e 01000000 00000000 01000000 00000000',
    precopy: { bytes: 24, idle: 0, poll: always },
  },
}

const optionsOf = (flavour: FlavourName): MockOptions => {
  const { size } = manners[flavour]
  return { flavour, ...(size && { size }) }
}

describe('the manners of a mock are what the table of flavours says:', () => {
  for (const flavour of flavourNames) {
    const { cells, precopy, slow, begins, streamBytes, dataSize, asksFirmware } = manners[flavour]
    const open = (options: MockOptions = {}): Opened => new Opened({ ...optionsOf(flavour), ...options })

    it(`${flavour}: the cells`, () => {
      const { [flavour]: row } = flavours
      for (const [cell, value] of Object.entries(cells)) assert.equal(row[cell as keyof Flavour], value, cell)
    })

    it(`${flavour}: a stream of ${streamBytes} bytes`, async () => {
      const stream = await saved(open())
      assert.equal(stream.length, streamBytes)
      const first = bytes(begins)
      assert.equal(stream.toString('hex', 0, first.length), first.toString('hex'))
    })

    it(`${flavour}: MIG_DATA_SIZE ${dataSize}${asksFirmware ? ', as its firmware estimates' : ''}`, async () => {
      assert.equal(await open().calls.dataSize(), dataSize)
      if (asksFirmware) assert.equal(await open({ estimateSlack: 100 }).calls.dataSize(), dataSize + 100)
    })

    if (precopy === undefined) {
      it(`${flavour}: no PRE_COPY, a poll that says always, and 0 at the end`, async () => {
        const device = open()
        assert.equal(said((await device.set('PRE_COPY')).result), 'EINVAL')
        if (flavour === 'xe') await device.calls.reset()
        const session = await device.session('STOP_COPY')
        assert.equal(device.mock.poll(), always)
        assert.equal((await drain(session)).last, 0)
        assert.equal(device.mock.poll(), always)
      })
    } else {
      it(`${flavour}: ${precopy.bytes} bytes in PRE_COPY, then ${precopy.idle} and poll ${precopy.poll}; 0 at the end`, async () => {
        const device = open()
        const session = await device.session('PRE_COPY')
        const { bytes: first, last } = await drain(session)
        assert.equal(first.length, precopy.bytes)
        assert.equal(said(last), precopy.idle)
        assert.equal(device.mock.poll(), precopy.poll)
        await device.to('STOP_COPY')
        assert.equal((await drain(session)).last, 0)
      })
    }

    if (slow === undefined) continue
    it(`${flavour}: of a SAVE of 5 ms the SET takes ${slow.set}, and a read ${slow.read} for ${slow.bytes} bytes`, async () => {
      const device = open({ latency: { SAVE: 5 } })
      const { clock } = device
      const session = await device.session('STOP_COPY')
      assert.equal(clock.now(), slow.set)
      const { result } = await session.read(65_536, 0)
      assert.deepEqual([result, clock.now() - slow.set], [slow.bytes, slow.read])
    })
  }

  it('mlx5: a read blocks where there is nothing yet', async () => {
    const device = new Opened({ ...optionsOf('mlx5'), latency: { SAVE: 5 } })
    const session = await device.session('STOP_COPY')
    assert.equal((await session.read(65_536, 0)).result, 24)
    assert.equal(device.mock.poll(), 0)
    assert.equal((await session.read(65_536, 0)).result, 16 + image)
    assert.equal(device.clock.now(), 5)
    assert.equal(device.mock.poll(), 0x41)
  })
})

/** A data_fd of a device in RESUMING as the kernel has it: behind the seam, which writes no more after a failure. */
class Resuming {
  readonly core: Core
  readonly clock = new VirtualClock()
  #session: Session | undefined

  constructor(flavour: FlavourName) {
    const options = resolveOptions({ ...optionsOf(flavour), seed: 2n, clock: this.clock })
    const history = new History(() => this.clock.now())
    const parts = { options, clock: this.clock, faults: new FaultPlan(), history }
    this.core = new Core({ ...parts, makeDriver: drivers[flavour] })
    this.core.open()
  }

  async begin(): Promise<void> {
    const made = await this.core.setState(stateNumber('RESUMING'))
    assert.ok(typeof made === 'object', `RESUMING answered ${made as number}`)
    this.#session = made
  }

  /** One write(2). */
  async write(data: Uint8Array): Promise<number | string> {
    assert.ok(this.#session)
    return said(await this.#session.write(data))
  }

  async set(state: StateName): Promise<number | string> {
    const made = await this.core.setState(stateNumber(state))
    return typeof made === 'number' ? said(made) : 0
  }
}

async function resuming(flavour: FlavourName): Promise<Resuming> {
  const device = new Resuming(flavour)
  await device.begin()
  return device
}

/** The whole stream of a device that has made some steps. */
async function streamOf(flavour: FlavourName, options: MockOptions = {}): Promise<Buffer> {
  const device = new Opened({ ...optionsOf(flavour), ...options })
  device.mock.step(3)
  return await saved(device)
}

const changed = (stream: Buffer, at: number): Buffer => {
  const copy = Buffer.from(stream)
  copy[at] = (copy[at] ?? 0) ^ 0xff
  return copy
}

const recordOf4GiB = bytes('0000000001000000 00000000 00000000')
const oneByte = Uint8Array.of(0)
const largest: Readonly<Partial<Record<FlavourName, number>>> = { hisi_acc: 176, qat: 4096, mtty: 60 }

describe('what is written to a mock is answered as the table of flavours says:', () => {
  for (const flavour of ['mlx5', 'virtio'] as const) {
    it(`${flavour}: ENOMEM to a record of 4 GiB`, async () => {
      const device = await resuming(flavour)
      assert.equal(await device.write(recordOf4GiB), 'ENOMEM')
      assert.equal(flavours[flavour].overCapacity, 'ENOMEM')
    })

    it(`${flavour}: what LOAD answers to the state of another device, EIO for one of another size, and ENODEV ever after`, async () => {
      const device = await resuming(flavour)
      assert.equal(await device.write(await streamOf(flavour, { size: '12KiB' })), 'EIO')
      assert.equal(await device.write(oneByte), 'ENODEV')
      assert.equal(await device.write(await streamOf(flavour)), 'ENODEV')
      const { refusal, afterRefusal } = flavours[flavour]
      assert.deepEqual([refusal, afterRefusal], ['LOAD', 'dead'])
    })

    it(`${flavour}: 0 of RESUMING -> STOP to a stream that was cut short`, async () => {
      const device = await resuming(flavour)
      assert.equal(
        await device.write((await streamOf(flavour)).subarray(0, -1)),
        flavour === 'mlx5' ? 8311 : 8287,
      )
      assert.equal(await device.set('STOP'), 0)
      assert.equal(flavours[flavour].incomplete, 0)
    })
  }

  for (const [flavour, length = 0] of Object.entries(largest) as [FlavourName, number | undefined][]) {
    it(`${flavour}: ENOMEM to byte ${length + 1}, of which none is taken`, async () => {
      const device = await resuming(flavour)
      const stream = await streamOf(flavour)
      assert.equal(await device.write(Buffer.concat([stream, oneByte])), 'ENOMEM')
      assert.equal(await device.write(stream), length)
      assert.equal(await device.write(oneByte), 'ENOMEM')
      assert.equal(await device.set('STOP'), 0)
      assert.equal(flavours[flavour].overCapacity, 'ENOMEM')
    })

    it(`${flavour}: EINVAL of RESUMING -> STOP to a stream that was cut short, which can go on`, async () => {
      const device = await resuming(flavour)
      const stream = await streamOf(flavour)
      assert.equal(await device.write(stream.subarray(0, 59)), 59)
      assert.equal(await device.set('STOP'), 'EINVAL')
      assert.equal(device.core.state, 'RESUMING')
      assert.equal(await device.write(stream.subarray(59)), length - 59)
      assert.equal(await device.set('STOP'), 0)
      assert.equal(flavours[flavour].incomplete, 'EINVAL')
    })
  }

  it('hisi_acc: EFAULT to the match data of another device, again by each write', async () => {
    const device = await resuming('hisi_acc')
    const strange = changed(await streamOf('hisi_acc'), 0)
    assert.equal(await device.write(strange.subarray(0, 39)), 39)
    assert.equal(await device.write(strange.subarray(39, 40)), 'EFAULT')
    assert.equal(await device.write(strange.subarray(40, 41)), 'EFAULT')
    assert.equal(await device.write(strange.subarray(41)), 'EFAULT')
    assert.deepEqual([flavours.hisi_acc.refusal, flavours.hisi_acc.afterRefusal], ['EFAULT', 'again'])
  })

  it('mtty: EFAULT to the header of another device, once; it is forgotten, and all is loaded', async () => {
    const device = await resuming('mtty')
    const strange = changed(await streamOf('mtty'), 16)
    assert.equal(await device.write(strange.subarray(0, 24)), 'EFAULT')
    assert.equal(await device.write(strange.subarray(24)), 36)
    assert.equal(await device.set('STOP'), 0)
    assert.deepEqual([flavours.mtty.refusal, flavours.mtty.afterRefusal], ['EFAULT', 'forgotten'])
  })

  it('qat: EINVAL to a setup that is none, again by each write', async () => {
    const device = await resuming('qat')
    const strange = changed(await streamOf('qat'), 0)
    assert.equal(await device.write(strange.subarray(0, 89)), 89)
    assert.equal(await device.write(strange.subarray(89, 90)), 'EINVAL')
    assert.equal(await device.write(strange.subarray(90)), 'EINVAL')
    assert.equal(await device.set('STOP'), 'EINVAL')
    assert.deepEqual([flavours.qat.refusal, flavours.qat.afterRefusal], ['setup', 'again'])
  })

  it('pds: takes what fits, then EINVAL', async () => {
    const device = await resuming('pds')
    assert.equal(await device.write(Buffer.alloc(65_530)), 65_530)
    assert.equal(await device.write(Buffer.alloc(10)), 6)
    assert.equal(await device.write(oneByte), 'EINVAL')
    assert.equal(flavours.pds.overCapacity, 'short')
  })

  it('pds: takes the state of another device, and RESUMING -> STOP answers what LOAD does: EIO to another size', async () => {
    const device = await resuming('pds')
    const strange = await streamOf('pds', { size: '12KiB' })
    assert.equal(await device.write(strange), 80 + 12_288)
    assert.equal(await device.set('STOP'), 'EIO')
    assert.deepEqual([flavours.pds.refusal, flavours.pds.afterRefusal], ['never', undefined])
  })

  it('pds: RESUMING -> STOP answers what LOAD does to a stream that was cut short: EINVAL, for the pages are none', async () => {
    const device = await resuming('pds')
    assert.equal(await device.write((await streamOf('pds')).subarray(0, 100)), 100)
    assert.equal(await device.set('STOP'), 'EINVAL')
    assert.equal(flavours.pds.incomplete, 'LOAD')
  })

  it('xe: a packet for which there is no room is taken, and the next one answers EIO; one of 2 GiB ENOMEM', async () => {
    const device = await resuming('xe')
    // VRAM of 4096 bytes at offset 8192.
    const beyond = Buffer.concat([
      bytes('01060000 00000000 0020000000000000 0010000000000000'),
      Buffer.alloc(4096),
    ])
    assert.equal(await device.write(beyond), 24 + 4096)
    assert.equal(await device.write(beyond), 'EIO')
    assert.equal(
      await (await resuming('xe')).write(bytes('01060000 00000000 0000000000000000 0000008000000000')),
      'ENOMEM',
    )
    assert.equal(flavours.xe.overCapacity, 'by packet')
  })

  it('xe: ENODEV to the descriptor of another device, EINVAL to a packet of another version; they are forgotten', async () => {
    const device = await resuming('xe')
    const stream = await streamOf('xe')
    assert.equal(await device.write(changed(stream.subarray(0, 40), 28)), 'ENODEV')
    assert.equal(await device.write(changed(stream.subarray(0, 24), 0)), 'EINVAL')
    assert.equal(await device.write(stream), stream.length)
    assert.equal(await device.set('STOP'), 0)
    assert.deepEqual([flavours.xe.refusal, flavours.xe.afterRefusal], ['packet', 'forgotten'])
  })

  it('xe: RESUMING -> STOP waits 20 s for the end of a stream that was cut short, and answers ETIMEDOUT', async () => {
    const device = await resuming('xe')
    assert.equal(await device.write((await streamOf('xe')).subarray(0, -24)), 8512 - 24)
    assert.equal(await device.set('STOP'), 'ETIMEDOUT')
    assert.equal(device.clock.now(), 20_000)
    assert.equal(flavours.xe.incomplete, 'ETIMEDOUT')
  })
})
