// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { askTool, textWithin, within } from '#lib/host/tool.js'
import { makeTree, removeTree } from './tree.js'

describe('askTool', () => {
  const { PATH } = process.env
  let root = ''
  afterEach(async () => {
    process.env.PATH = PATH
    await removeTree(root)
  })

  /** Puts a tool of that text first in PATH. */
  async function install(text: string): Promise<void> {
    root = await makeTree({ '/bin/devlink': `#!/bin/sh\n${text}\n` })
    await chmod(join(root, '/bin/devlink'), 0o755)
    process.env.PATH = `${join(root, '/bin')}:${PATH}`
  }

  it('asks for JSON, and gives each word to the tool as it is', async () => {
    await install(`printf '["%s","%s","%s"]' "$1" "$2" "$3"`)
    assert.deepEqual(await askTool('devlink', ['dev', '$(id); x']), ['-j', 'dev', '$(id); x'])
  })

  it('has no answer where the tool fails, says no JSON, or is not there', async () => {
    await install('echo "{}"; exit 1')
    assert.equal(await askTool('devlink', []), undefined)
    await removeTree(root)
    await install('echo what')
    assert.equal(await askTool('devlink', []), undefined)
    process.env.PATH = '/nowhere'
    assert.equal(await askTool('devlink', []), undefined)
  })

  it('takes what has inherited keys for no answer', () => {
    assert.equal(within({}, 'constructor'), undefined)
    assert.equal(within('text', 'length'), undefined)
    assert.equal(textWithin({ a: [{ b: 7 }] }, 'a', 0, 'b'), '7')
    assert.equal(textWithin({ a: {} }, 'a'), undefined)
  })
})
