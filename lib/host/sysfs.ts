// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import type { Rooted } from './facts.ts'

/** Where `path`, absolute as in the facts, is to be read. */
export function located(path: string, { root = '/' }: Rooted): string {
  return join(root, path)
}

/**
 * What is not there, or not ours to read, is undefined. Running out of fds or memory is not an answer: facts would be
 * missing without anybody knowing.
 */
function throwIfExhausted(error: unknown): void {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') throw error
}

/** A small file's text without the white space around it; undefined when it is not there or not ours to read. */
export async function attribute(path: string, options: Rooted): Promise<string | undefined> {
  try {
    return (await readFile(located(path, options), 'utf8')).trim()
  } catch (error) {
    throwIfExhausted(error)
    return undefined
  }
}

/** A number that the kernel prints, decimal or with 0x; undefined where there is none. */
export async function numericAttribute(path: string, options: Rooted): Promise<number | undefined> {
  const text = await attribute(path, options)
  return text === undefined || text === '' ? undefined : Number(text)
}

/** A module's boolean parameter, which the kernel prints as Y or N. */
export async function booleanAttribute(path: string, options: Rooted): Promise<boolean | undefined> {
  const text = await attribute(path, options)
  return text === undefined ? undefined : text === 'Y' || text === '1'
}

/** The entries of a directory in order; none when it is not there or not ours to read. */
export async function entries(path: string, options: Rooted): Promise<string[]> {
  try {
    return (await readdir(located(path, options))).sort()
  } catch (error) {
    throwIfExhausted(error)
    return []
  }
}

/** What a link points at, as written; undefined when it is not there or not ours to read. */
export async function linkTarget(path: string, options: Rooted): Promise<string | undefined> {
  try {
    return await readlink(located(path, options))
  } catch (error) {
    throwIfExhausted(error)
    return undefined
  }
}

/** The last part of what a link points at: sysfs names drivers, groups and functions so. */
export async function linkName(path: string, options: Rooted): Promise<string | undefined> {
  const target = await linkTarget(path, options)
  return target === undefined ? undefined : basename(target)
}

/** The path that `path` resolves to, as seen from the root; undefined when there is nothing. */
export async function resolved(path: string, options: Rooted): Promise<string | undefined> {
  try {
    const root = await realpath(located('/', options))
    return join('/', relative(root, await realpath(located(path, options))))
  } catch (error) {
    throwIfExhausted(error)
    return undefined
  }
}
