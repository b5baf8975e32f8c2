// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drive } from '#lib/cli/schemas/drive.js'
import { failure } from '#lib/cli/schemas/failure.js'
import { load } from '#lib/cli/schemas/load.js'
import { move } from '#lib/cli/schemas/move.js'
import { reset } from '#lib/cli/schemas/reset.js'
import { save } from '#lib/cli/schemas/save.js'
import { show } from '#lib/cli/schemas/show.js'
import { state } from '#lib/cli/schemas/state.js'
import * as v from 'valibot'
import { MockDevice, serveMock } from 'vfio-migrate/mock'
import { failureOf, inProcess, jsonOf } from './command.js'

describe('the command with a mock', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-mock-'))
  after(() => rmSync(directory, { recursive: true }))

  describe('says mock: true in the JSON of', () => {
    it('show, with what the name would make', async () => {
      const { device } = await jsonOf(['show', 'mock:flavour=qat'], show)
      assert.deepEqual([device.mock, device.driver, device.kind], [true, 'qat_vfio_pci', 'pci'])
      assert.deepEqual([device.migratable, device.features], [true, ['stop-copy', 'p2p', 'pre-copy']])
      assert.equal(device.sysfsPath, undefined)
    })

    it('state', async () => {
      const told = await jsonOf(['state', 'mock:name=a'], state)
      assert.deepEqual([told.mock, told.source, told.device, told.state], [true, 'mock', 'a', 'RUNNING'])
    })

    it('drive', async () => {
      const { device, steps } = await jsonOf(['drive', 'mock:', 'PRE_COPY,STOP_COPY,RUNNING'], drive)
      assert.deepEqual([device.mock, device.via, device.origin], [true, 'backend', 'opened'])
      assert.ok(steps.some(({ bytesRead = 0 }) => bytesRead >= 1024 ** 2))
    })

    it('save and load, by way of a file', async () => {
      const file = join(directory, 'state')
      const saved = await jsonOf(['save', 'mock:size=64KiB,seed=5', '--raw', '-o', file], save)
      assert.equal(saved.device.mock, true)
      const loaded = await jsonOf(['load', 'mock:size=64KiB', '--raw', '-i', file, '--release'], load)
      assert.deepEqual([loaded.device.mock, loaded.state, loaded.bytes], [true, 'RUNNING', saved.bytes])
    })

    it('move, for the whole and for both sides', async () => {
      const { devices, ...moved } = await jsonOf(['move', 'mock:', 'mock:', '--release'], move)
      const sides = devices.map(({ source, destination }) => [source, destination]).flat()
      assert.deepEqual([moved.mock, ...sides.map(({ device }) => device.mock)], [true, true, true])
      assert.deepEqual(
        sides.map(({ state }) => state),
        ['STOP', 'RUNNING'],
      )
    })

    it('reset', async () => {
      const { device, before, state } = await jsonOf(['reset', 'mock:', '--yes'], reset)
      assert.deepEqual([device.mock, before, state], [true, 'RUNNING', 'RUNNING'])
    })

    it('a failure, for both sides', async () => {
      const words = ['move', 'mock:', 'mock:fault=LOAD:1:EIO', '--release', '--json']
      const { exit, stdout } = await inProcess(words)
      const { error } = v.parse(failure, JSON.parse(stdout))
      assert.deepEqual([exit, error.mock, error.others?.[0]?.mock], [1, true, true])
    })
  })

  describe('says mock: true of a failure before a device was in hand:', () => {
    const file = join(directory, 'never')
    const cases = [
      ['state', 'mock:capabilities.stopCopy=false'],
      ['drive', 'mock:flavour=virtio,kernel=6.12', 'STOP'],
      ['save', 'mock:capabilities.stopCopy=false', '--raw', '-o', file],
      ['move', 'mock:', 'mock:capabilities.stopCopy=false', '--release'],
      ['show', 'mock:sise=1'],
      ['reset', 'mock:'],
      ['state', `mock+unix:${join(directory, 'none')}`],
    ]
    for (const words of cases) {
      it(words.slice(0, 2).join(' '), async () => {
        const { exit, stdout } = await inProcess([...words, '--json'])
        assert.notEqual(exit, 0)
        assert.equal(v.parse(failure, JSON.parse(stdout)).error.mock, true)
      })
    }

    it('and of no other device', async () => {
      const { stdout } = await inProcess(['state', 'ffff:ff:1f.7', '--json'])
      assert.equal(v.parse(failure, JSON.parse(stdout)).error.mock, undefined)
    })
  })

  describe('tells what a mock is', () => {
    const name =
      'mock:size=64KiB,dirty=1MiB/s,chunkSize=8KiB,latency.SAVE=5,origin=lent,capabilities.p2p=false,fault=SAVE:99:EIO'
    const simulation = {
      flavour: 'mlx5',
      kernel: '7.2',
      evidence: 'confirmed',
      size: 65536,
      workload: { bytesPerSecond: 1024 ** 2, workingSet: 65536 },
      options: { 'capabilities.p2p': false, 'latency.SAVE': 5, chunkSize: 8192, origin: 'lent' },
      faults: ['SAVE:99:EIO'],
    }

    it('in the JSON of show and of what took it', async () => {
      assert.deepEqual((await jsonOf(['show', name], show)).simulation, simulation)
      const saved = await jsonOf(['save', name, '--raw', '-o', join(directory, 'told')], save)
      assert.deepEqual(saved.device.simulation, simulation)
      const usual = await jsonOf(['show', 'mock:'], show)
      assert.deepEqual([usual.simulation?.options, usual.simulation?.faults], [{}, []])
    })

    it('in the text of show', async () => {
      const { stdout } = await inProcess(['show', name])
      assert.match(
        stdout,
        /^options +capabilities\.p2p false\n +latency\.SAVE 5\.000 ms\n +chunkSize 8\.0 KiB\n +origin lent$/m,
      )
      assert.match(stdout, /^faults +SAVE:99:EIO$/m)
      assert.doesNotMatch((await inProcess(['show', 'mock:'])).stdout, /^(options|faults)/m)
    })
  })

  it('says which faults were never reached, and of which of two mocks', async () => {
    const words = [
      'move',
      'mock:name=a,fault=SAVE:99:EIO',
      'mock:name=b,fault=RESET:EINVAL,fault=LOAD:7:status=9',
      '--release',
    ]
    const { exit, stderr } = await inProcess(words)
    assert.equal(exit, 0)
    const said = stderr.split('\n').filter(line => line.includes('never reached'))
    assert.deepEqual(said.sort(), [
      "'a': its fault SAVE:99:EIO was never reached",
      "'b': its fault LOAD:7:status=9 was never reached",
      "'b': its fault RESET:EINVAL was never reached",
    ])
    assert.match(
      (await inProcess(['state', 'mock:name=a,fault=SAVE:hold'])).stderr,
      /^'a': its fault SAVE:hold was/m,
    )
    const failed = await inProcess(['move', 'mock:', 'mock:fault=LOAD:EIO', '--release'])
    assert.doesNotMatch(failed.stderr, /never reached/)
  })

  it('tells two mocks of one name apart by their own', async () => {
    const { stderr } = await inProcess(['move', 'mock:', 'mock:fault=LOAD:EIO', '--release'])
    assert.match(stderr, /^'mock-[0-9a-f]{8}' was reset: it is blank/m)
    assert.doesNotMatch(stderr, /^'mock:' was/m)
  })

  describe('says to a person that it is a mock', () => {
    it('when it opens one', async () => {
      const { stderr } = await inProcess(['drive', 'mock:name=a', 'STOP,RUNNING'])
      assert.match(stderr, /^'mock:name=a' is a, a mock of mlx5_vfio_pci: all of it is simulated\.$/m)
    })

    it('when it has moved one', async () => {
      const { stderr } = await inProcess(['move', 'mock:name=a', 'mock:name=b', '--release'])
      assert.match(stderr, /^source +a, a mock of mlx5_vfio_pci, in STOP$/m)
      assert.match(stderr, /^'b' is let go of.*: a mock ends with this command\.$/m)
    })

    it('when it shows one, with the evidence for its manners', async () => {
      const { stdout } = await inProcess(['show', 'mock:size=64MiB,dirty=20MiB/s,workingSet=4MiB'])
      assert.match(stdout, /^kind +pci, simulated$/m)
      assert.match(stdout, /^manners +mlx5: confirmed by the driver itself$/m)
      assert.match(stdout, /^workload +20\.0 MiB a second into 4\.0 MiB$/m)
      assert.match(
        (await inProcess(['show', 'mock:flavour=pds'])).stdout,
        /^manners +pds: from its source, not run$/m,
      )
    })
  })

  it('takes two equal names for two devices', async () => {
    const { exit, stderr } = await inProcess([
      'move',
      'mock:name=a,seed=1',
      'mock:name=a,seed=1',
      '--release',
    ])
    assert.equal(exit, 0, stderr)
  })

  it('lets a mock say that it is lent', async () => {
    const { device, state: left } = await jsonOf(['drive', 'mock:origin=lent', 'STOP'], drive)
    assert.deepEqual([device.origin, left], ['lent', 'STOP'])
  })

  it('explains why a mock does not migrate', async () => {
    const { code, message } = await failureOf(['state', 'mock:capabilities.stopCopy=false'], 3)
    assert.equal(code, 'ERR_VFIO_NOT_MIGRATABLE')
    assert.match(
      message,
      /a mock of mlx5_vfio_pci that was made without capabilities\.stopCopy\. Make it without that/,
    )
    const name = 'mock:flavour=virtio,kernel=6.12'
    const virtio = await failureOf(['state', name], 3)
    assert.match(
      virtio.message,
      /virtio_vfio_pci on Linux 6\.12, where that driver does not migrate\. Make it with kernel 7\.2\.$/,
    )
    const { device, remedy } = await jsonOf(['show', name], show)
    assert.deepEqual([device.migratable, remedy], [false, 'Make it with kernel 7.2.'])
    assert.match(device.why ?? '', /virtio_vfio_pci on Linux 6\.12/)
    const shown = await jsonOf(['show', 'mock:capabilities.stopCopy=false'], show)
    assert.deepEqual([shown.device.migratable, shown.remedy], [false, 'Make it without that option.'])
  })

  describe('takes for wrong usage, and touches nothing', () => {
    const file = join(directory, 'never')
    const cases: [title: string, words: string[], message: RegExp][] = [
      ['an option that there is not', ['show', 'mock:sise=1'], /'mock:sise=1': option 'sise' of a mock: there is none/],
      ['a size that cannot be', ['state', 'mock:size=0'], /'size' of a mock: 0 is not from 1 KiB to 1 GiB/],
      ['a capability without the one below it', ['drive', 'mock:capabilities.stopCopy=false,capabilities.preCopy=true', 'STOP'], /'capabilities\.preCopy'/],
      ['a driver that the kernel has not', ['save', 'mock:flavour=xe,kernel=6.12', '--raw', '-o', file], /Linux 6\.12 has no driver xe-vfio-pci/],
      ['a destination that cannot be', ['move', 'mock:', 'mock:reinit=maybe', '--release'], /'reinit' of a mock: it is neither true nor false/],
      ['a source that cannot be', ['move', 'mock:64MiB', 'mock:', '--release'], /'64MiB' in 'mock:64MiB' is no option=value/],
      ['a fault at a point that there is not', ['reset', 'mock:fault=SEVE:1:EIO', '--yes'], /'faults\.0' of a mock: .*no point 'SEVE'/],
      ['a fault at half a time', ['drive', 'mock:fault=SAVE:1.5:EIO', 'STOP'], /fault\.nth: '1\.5' is no whole number/],
      ['a socket without a path', ['state', 'mock+unix:'], /^'mock\+unix:' names no socket: write mock\+unix: and its path/],
      ['a mock of a kind that there is not', ['show', 'mock+tcp:x'], /names no mock: there are mock: and mock\+unix:$/],
      ['a name that every object inherits', ['show', 'mock:__proto__=1'], /'__proto__' of a mock: there is none of that name/],
      ['a name of two lines', ['show', 'mock:name=a\nb'], /'name' of a mock: .*control character/],
      ['a way into a mock', ['drive', 'mock:', 'STOP', '--via', 'group'], /'mock:' is a mock: --via and --vf-token do not apply/],
      ['a mock that is handed on', ['move', 'mock:', 'mock:', '--exec', 'true'], /'mock:' is a mock and has no fd to hand on/],
    ] // prettier-ignore
    for (const [title, words, message] of cases) {
      it(title, async () => {
        const error = await failureOf(words, 2)
        assert.equal(error.code, 'ERR_VFIO_USAGE')
        assert.match(error.message, message)
        assert.ok(!readdirSync(directory).includes('never'))
      })
    }
  })
})

describe('the command with a mock of another process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-served-'))
  const path = join(directory, 'socket')
  after(() => rmSync(directory, { recursive: true }))

  it('moves one that is lent, and leaves it stopped', async () => {
    const mock = new MockDevice({ name: 'there', size: 4096 })
    await using server = await serveMock(mock, path, { dies: 'with-host' })
    assert.equal((await jsonOf(['show', `mock+unix:${server.path}`], show)).device.name, 'there')
    const words = ['move', `mock+unix:${server.path}`, 'mock:size=4KiB', '--release']
    const { devices, mock: simulated } = await jsonOf(words, move)
    const { name, origin } = devices[0]?.source.device ?? {}
    assert.deepEqual([simulated, name, origin], [true, 'there', 'lent'])
    assert.equal(mock.state, 'STOP')
    assert.equal((await jsonOf(['state', `mock+unix:${server.path}`], state)).state, 'STOP')
  })

  it('refuses one as a source that opening has reset, unless it may be blank', async () => {
    const mock = new MockDevice({ size: 4096 })
    await using server = await serveMock(mock, path, { dies: 'with-client' })
    const words = ['move', `mock+unix:${server.path}`, 'mock:size=4KiB', '--release']
    const refused = await inProcess([...words, '--json'])
    const { error } = v.parse(failure, JSON.parse(refused.stdout))
    assert.deepEqual([refused.exit, error.code], [2, 'ERR_VFIO_USAGE'])
    assert.match(error.message, /nothing but a blank state to take.*--blank-source/)
    const { exit, stderr } = await inProcess([...words, '--blank-source'])
    assert.equal(exit, 0, stderr)
  })

  it('tells why one does not migrate', async () => {
    const mock = new MockDevice({ name: 'there', flavour: 'virtio', kernel: '6.12' })
    await using server = await serveMock(mock, path, { dies: 'with-host' })
    const { device, remedy, simulation } = await jsonOf(['show', `mock+unix:${server.path}`], show)
    assert.match(device.why ?? '', /virtio_vfio_pci on Linux 6\.12, where that driver does not migrate/)
    assert.deepEqual([remedy, simulation], ['Make it with kernel 7.2.', undefined])
  })

  it('takes one that nobody serves for a device that there is not', async () => {
    const { exit } = await inProcess(['state', `mock+unix:${join(directory, 'none')}`])
    assert.equal(exit, 3)
  })
})

describe('docs/mock.md', () => {
  it('shows commands that do what they say', async () => {
    const text = readFileSync(new URL('../../docs/mock.md', import.meta.url), 'utf8')
    const lines = [...text.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) =>
      block.trim().split('\n'),
    )
    assert.ok(lines.length > 0)
    for (const line of lines) {
      const [npx, name, ...words] = line.replace(/ +#.*$/, '').split(' ')
      assert.deepEqual([npx, name], ['npx', 'vfio-migrate'])
      const { exit, stderr } = await inProcess(words.map(word => word.replace(/^'(.*)'$/, '$1')))
      assert.equal(exit, 0, `${line}\n${stderr}`)
    }
  })
})
