// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { VfioError } from '../errors.ts'
import type { Addon } from './seam.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

let addon: Addon | undefined

/**
 * The addon, loaded at its first use: a mock or a table of states needs none.
 * @throws VfioError ERR_VFIO_ADDON with what to do when it cannot be loaded.
 */
export function loadAddon(): Addon {
  addon ??= load()
  return addon
}

/** Why the addon cannot be loaded; undefined when it can. */
export function addonProblem(): VfioError | undefined {
  try {
    loadAddon()
    return undefined
  } catch (error) {
    if (error instanceof VfioError) return error
    throw error
  }
}

function load(): Addon {
  try {
    const require = createRequire(import.meta.url)
    return (require('node-gyp-build') as (dir: string) => Addon)(root)
  } catch (error) {
    throw new VfioError('ERR_VFIO_ADDON', whyNot(error), { cause: error })
  }
}

function whyNot(error: unknown): string {
  const first = String(error instanceof Error ? error.message : error).split('\n')[0] ?? ''
  return `the addon cannot be loaded on ${platform()}: ${first}. ${remedy()}`
}

function platform(): string {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  const libc = report.header?.glibcVersionRuntime
  const tail =
    process.platform !== 'linux' ? '' : libc === undefined ? ', libc is not glibc' : `, glibc ${libc}`
  return `${process.platform}-${process.arch}${tail}, Node ${process.versions.node}`
}

function remedy(): string {
  if (process.platform !== 'linux')
    return 'VFIO is a part of Linux: on other systems only simulated devices work'
  return `It needs glibc 2.34 or newer; to build it here: apt-get install g++ make python3, then npm explore vfio-migrate -- npx node-gyp@12 configure build`
}
