// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

function demo(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['scripts/demo.mjs', ...words], { cwd: root, encoding: 'utf8' })
}

describe('npm run demo', () => {
  it('moves a simulated device, says so, and ends with two equal digests', () => {
    const { status, stdout, stderr } = demo()
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^Two simulated ConnectX functions: no hardware, no kernel/)
    assert.match(stdout, /^ {2}source {7}save what changed, round 1/m)
    const digests = [...stdout.matchAll(/digest ([0-9a-f]{16})$/gm)].map(([, digest]) => digest)
    assert.equal(digests.length, 4)
    assert.notEqual(digests[0], digests[1])
    assert.equal(digests[2], digests[3])
    assert.ok(!stdout.includes('\u001b'), 'no colours or bars into a pipe')
  })

  it('ends without a word when nobody reads on', () => {
    const command = 'node scripts/demo.mjs | head -1'
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' })
    assert.match(stdout, /^Two simulated/)
    assert.doesNotMatch(stderr, /EPIPE|Error/)
  })

  it('takes anything else for wrong usage, before it has done anything', () => {
    for (const words of [['--fast'], ['mlx5'], ['--kernel', '--mlx5']]) {
      const { status, stdout, stderr } = demo(...words)
      assert.equal(status, 2, words.join(' '))
      assert.equal(stdout, '')
      assert.match(stderr, /^Usage: npm run demo/m)
    }
  })

  it('explains itself', () => {
    for (const word of ['--help', '-h']) {
      const { status, stdout } = demo(word)
      assert.equal(status, 0)
      assert.match(stdout, /--kernel.*mtty/)
    }
  })
})
