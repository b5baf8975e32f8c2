// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failureOf, vfioMigrate } from './command.js'

const missing = 'ffff:ff:1f.7'
const unknownMdev = '2ab74924-c335-45f4-9b16-8569e5b08258'

describe('vfio-migrate', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-cli-'))
  after(() => rmSync(directory, { recursive: true }))

  it('prints its help on stdout when asked, and exits with 0', async () => {
    const { exit, stdout, stderr } = await vfioMigrate(['--help'])
    assert.equal(exit, 0)
    assert.match(stdout, /^Usage: vfio-migrate/)
    for (const verb of 'list show state drive reset save load move fsm version'.split(' '))
      assert.match(stdout, new RegExp(`^  ${verb} `, 'm'))
    assert.equal(stderr, '')
  })

  it('prints its help on stderr when nothing is given, and exits with 2', async () => {
    const { exit, stdout, stderr } = await vfioMigrate([])
    assert.equal(exit, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^Usage: vfio-migrate/)
  })

  it('writes no colours when its outputs are piped', async () => {
    for (const words of [['--help'], ['list'], ['show', missing], ['fsm'], ['nonsense']]) {
      const { stdout, stderr } = await vfioMigrate(words)
      assert.ok(!`${stdout}${stderr}`.includes('\u001b'), words.join(' '))
    }
  })

  describe('exits with 2 and touches nothing', () => {
    const cases: [title: string, words: string[], message: RegExp][] = [
      ['for an unknown option', ['list', '--bar'], /unknown option '--bar'/],
      ['for a device that is left out', ['show'], /missing required argument 'device'/],
      ['for a device too many', ['show', 'a', 'b'], /too many arguments/],
      ['for an fd that is no number', ['state', 'fd:x'], /write fd:N/],
      ['for save without --raw', ['save', unknownMdev, '-o', 'x'], /--raw/],
      ['for save without -o', ['save', unknownMdev, '--raw'], /--output/],
      [
        'for an unknown way in',
        ['drive', unknownMdev, 'STOP', '--via', 'window'],
        /Allowed choices are cdev, group/,
      ],
      ['for a VF token that is no UUID', ['drive', unknownMdev, 'STOP', '--vf-token', '1'], /UUID such as/],
      [
        'for a time that is none',
        ['save', unknownMdev, '--raw', '-o', 'x', '--timeout', '-1'],
        /seconds above 0/,
      ],
      [
        'for a time without end',
        ['save', unknownMdev, '--raw', '-o', 'x', '--timeout', 'Infinity'],
        /seconds above 0, up to 2147483/,
      ],
      [
        'for a time that no timer can wait for',
        ['move', unknownMdev, missing, '--release', '--timeout', '2147484'],
        /seconds above 0, up to 2147483/,
      ],
      ['for reset where nobody can be asked', ['reset', 'fd:9'], /--yes/],
      [
        'for move that says nothing of what becomes of the device',
        ['move', 'a', 'b'],
        /--stay.*--exec.*--release/,
      ],
      [
        'for load that says two things of it',
        ['load', 'a', '--raw', '-i', 'x', '--stay', '--release'],
        /say one/,
      ],
      [
        'for a program that is not there',
        ['move', 'a', 'b', '--exec', '/no/such/program', '--release'],
        /no program '\/no\/such\/program'/,
      ],
    ]
    for (const [title, words, message] of cases) {
      it(title, async () => {
        const error = await failureOf(words, 2)
        assert.equal(error.code, 'ERR_VFIO_USAGE')
        assert.match(error.message, message)
        assert.match(error.stderr, /^Try: vfio-migrate \w+ --help$/m)
      })
    }
  })

  it('suggests the verb that may have been meant', async () => {
    const { exit, stderr } = await vfioMigrate(['lisst'])
    assert.equal(exit, 2)
    assert.match(stderr, /Did you mean list\?/)
  })

  it('names all states, and the one that may have been meant, for one that there is not', async () => {
    const { message } = await failureOf(['drive', missing, 'STOP,pre-copy'], 2)
    assert.match(
      message,
      /ERROR STOP RUNNING STOP_COPY RESUMING RUNNING_P2P PRE_COPY PRE_COPY_P2P.*Did you mean PRE_COPY\?/,
    )
  })

  describe('exits with 3 for a device that there is not', () => {
    const cases = [
      ['show', missing],
      ['state', unknownMdev],
      ['drive', missing, 'STOP'],
      ['reset', unknownMdev, '--yes'],
      ['save', missing, '--raw', '-o', join(directory, 'state')],
      ['move', unknownMdev, missing, '--release'],
      ['state', 'fd:987'],
      ['show', 'fd:987'],
    ]
    for (const words of cases) {
      it(words.slice(0, 2).join(' '), async () => {
        const { code } = await failureOf(words, 3)
        assert.equal(code, 'ERR_VFIO_NO_DEVICE')
        assert.deepEqual(readdirSync(directory), [])
      })
    }

    it('load, which leaves the file alone', async () => {
      const file = join(directory, 'state')
      writeFileSync(file, 'bytes')
      const { code } = await failureOf(['load', missing, '--raw', '-i', file, '--release'], 3)
      rmSync(file)
      assert.equal(code, 'ERR_VFIO_NO_DEVICE')
    })
  })
})
