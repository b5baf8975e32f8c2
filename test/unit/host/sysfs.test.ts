// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { attribute, entries } from '#lib/host/sysfs.js'
import { makeTree, removeTree } from './tree.js'

describe('attribute', () => {
  let root = ''
  before(async () => {
    root = await makeTree({ '/sys/file': ' 0x15b3\n' })
  })
  after(() => removeTree(root))

  it('answers the text without the white space around it', async () => {
    assert.equal(await attribute('/sys/file', { root }), '0x15b3')
  })

  it('answers undefined for a file that is not there, or is none', async () => {
    assert.equal(await attribute('/sys/none', { root }), undefined)
    assert.equal(await attribute('/sys/file/below', { root }), undefined)
    assert.equal(await attribute('/sys', { root }), undefined)
  })

  it('rejects rather than to miss a fact when no fds are left', async function () {
    const fds: number[] = []
    try {
      for (;;) {
        if (fds.length > 20_000) this.skip() // RLIMIT_NOFILE is too high to be reached here
        fds.push(openSync('/dev/null', 'r'))
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
      await assert.rejects(attribute('/sys/file', { root }), { code: 'EMFILE' })
      await assert.rejects(entries('/sys', { root }), { code: 'EMFILE' })
    } finally {
      for (const fd of fds) closeSync(fd)
    }
  })
})
