// SPDX-License-Identifier: Apache-2.0
// What the guest is to do, as the two shell files that its process 1 reads.
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** @param {string} word */
const quote = word => `'${word.replaceAll("'", `'\\''`)}'`

/** Directories that the guest covers with its own. */
const COVERED = ['/tmp', '/run', '/dev/shm']

/** @param {string} path */
const isCovered = path => COVERED.some(parent => path.startsWith(`${parent}/`))

/**
 * @param {string} directory
 * @param {{ command: string[], end: string, cwd?: string, env?: Record<string, string>, vfs?: number, writable?: string[] }} job
 */
export function writeJob(directory, { command, end, cwd = process.cwd(), env = {}, vfs = 0, writable = [] }) {
  // What the command is told of by its environment has to be there as well.
  const told = Object.values(env).filter(isAbsolute)
  const needed = [cwd, REPOSITORY, dirname(process.execPath), ...told].map(path => resolve(path))
  const restored = [...new Set(needed)].filter(path => isCovered(path) && existsSync(path))
  const prepare = [
    `END=${end}`,
    `VFS=${vfs}`,
    ...restored.map(path => `mkdir -p ${quote(path)} && mount --bind /run/host${quote(path)} ${quote(path)}`),
    ...writable.map((path, index) => mountWritable(resolve(path), index)),
  ]
  const run = [
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`),
    `cd ${quote(cwd)}`,
    `exec ${command.map(quote).join(' ')}`,
  ]
  writeFileSync(join(directory, 'prepare.sh'), lines(prepare))
  writeFileSync(join(directory, 'command.sh'), lines(run))
}

/** @param {string} path @param {number} index */
function mountWritable(path, index) {
  const options = 'trans=virtio,version=9p2000.L,msize=512000'
  const make = isCovered(path) ? `mkdir -p ${quote(path)} && ` : ''
  return `${make}mount -t 9p -o ${options} writable${index} ${quote(path)}`
}

/** @param {string[]} text */
const lines = text => text.map(line => `${line}\n`).join('')
