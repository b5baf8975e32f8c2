// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'valibot'
import * as schemas from 'vfio-migrate/schemas'
import type { FailureOutput, FsmOutput } from 'vfio-migrate/schemas'
import { inProcess } from './command.js'

const sources = new URL('../../lib/cli/schemas/', import.meta.url)

/** What the modules beside the index export, by name. */
function exported(): string[] {
  return readdirSync(sources)
    .filter(file => file !== 'index.ts')
    .flatMap(file => {
      const text = readFileSync(new URL(file, sources), 'utf8')
      return [...text.matchAll(/^export (?:const|interface|type) (\w+)/gm)].map(([, name = '']) => name)
    })
}

describe('vfio-migrate/schemas', () => {
  it('has every schema and type of the JSON by name', () => {
    const index = readFileSync(new URL('index.ts', sources), 'utf8')
    for (const name of exported()) assert.match(index, new RegExp(`\\b${name}\\b`), name)
    for (const name of Object.keys(schemas)) assert.ok(exported().includes(name), name)
  })

  it('parses what the command prints, and types it', async () => {
    const words = ['fsm', '--from', 'STOP', '--to', 'STOP_COPY', '--json']
    const answer: FsmOutput = parse(schemas.fsm, JSON.parse((await inProcess(words)).stdout))
    assert.deepEqual(answer.path, ['STOP_COPY'])
    const failed = await inProcess(['state', 'fd:987', '--json'])
    const { error }: FailureOutput = parse(schemas.failure, JSON.parse(failed.stdout))
    assert.equal(error.code, 'ERR_VFIO_NO_DEVICE')
  })

  it('can be required', () => {
    const code = `console.log(typeof require('vfio-migrate/schemas').move)`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=commonjs', '-e', code], {
      encoding: 'utf8',
      cwd: new URL('../..', import.meta.url),
    })
    assert.equal(stdout, 'object\n', stderr)
  })
})
