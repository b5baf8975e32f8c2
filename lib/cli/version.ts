// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module'
import { release } from 'node:os'
import { addonProblem } from '../index.ts'
import type { Context } from './context.ts'
import type { VersionOutput } from './schemas/version.ts'
import { pairs } from './table.ts'

/** `vfio-migrate version` */
export function version(_args: readonly string[], _options: object, context: Context): void {
  const { node, napi = '' } = process.versions
  const result: VersionOutput = {
    schema: 1,
    command: 'version',
    version: packageVersion(),
    node,
    napi,
    kernel: release(),
    addon: addon(),
  }
  context.answer(result, text(result))
}

function packageVersion(): string {
  const require = createRequire(import.meta.url)
  return (require('../../package.json') as { version: string }).version
}

function addon(): VersionOutput['addon'] {
  const problem = addonProblem()
  return problem ? { loaded: false, why: problem.message } : { loaded: true }
}

function text({ version, node, napi, kernel, addon }: VersionOutput): string {
  return pairs([
    ['vfio-migrate', version],
    ['node', `${node} (Node-API ${napi})`],
    ['kernel', kernel],
    ['addon', addon.loaded ? 'loaded' : (addon.why ?? 'not loaded')],
  ])
}
