// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { run } from '#lib/cli/run.js'
import { openDevice } from 'vfio-migrate'
import { createMtty } from './mtty.js'

const readme = readFileSync('README.md', 'utf8')

/** Runs a command as a shell would, in this process: starting Node takes seconds in the guest. */
async function command(
  line: string,
  variables: Record<string, string>,
): Promise<{ exit: number; said: string }> {
  const words = line
    .split(' ')
    .map(word => word.replace(/^"\$(\w+)"$/, (_, name: string) => variables[name] ?? ''))
  const [npx, name, ...args] = words
  assert.deepEqual([npx, name], ['npx', 'vfio-migrate'])
  const output = new PassThrough()
  const exit = await run(['node', 'vfio-migrate', ...args], {
    stdout: output,
    stderr: output,
    stdin: new PassThrough(),
  })
  output.end()
  return { exit, said: (await output.toArray()).join('') }
}

describe('README.md', () => {
  it('shows commands that do what they say', async () => {
    await using source = await createMtty()
    await using destination = await createMtty()
    const block = /On the command line[^]*?```sh\n([^]*?)```/.exec(readme)?.[1] ?? ''
    const lines = block.trim().split('\n')
    assert.equal(lines.length, 8)
    for (const line of lines) {
      const { exit, said } = await command(line, { SOURCE: source.uuid, DESTINATION: destination.uuid })
      assert.equal(exit, 0, `${line}\n${said}`)
    }
  })

  it('shows an example that moves the state of a device', async () => {
    await using from = await createMtty()
    await using to = await createMtty()
    {
      await using source = await openDevice(from.uuid)
      await source.regions[0]?.write(7, Uint8Array.of(0x5a))
    }
    const { argv } = process
    process.argv = [...argv.slice(0, 2), from.uuid, to.uuid]
    try {
      await import('./examples/move.js')
    } finally {
      process.argv = argv
    }
    await using destination = await openDevice(to.uuid)
    assert.deepEqual(await destination.regions[0]?.read(7, 1), Buffer.of(0x5a))
  })
})
