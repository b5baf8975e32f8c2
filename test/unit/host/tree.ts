// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * A file tree in a temporary directory: by path, a file's text, `null` for an empty directory, or `-> TARGET` for a
 * link. Returns its root.
 */
export async function makeTree(...parts: Readonly<Record<string, string | null>>[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'vfio-tree-'))
  for (const [path, content] of parts.flatMap(part => Object.entries(part))) {
    const at = join(root, path)
    await mkdir(content === null ? at : dirname(at), { recursive: true })
    if (content === null) continue
    if (content.startsWith('-> ')) await symlink(content.slice(3), at)
    else await writeFile(at, content)
  }
  return root
}

export async function removeTree(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true })
}

const nobody = 65534

/** Runs `body` as a user who is not root and may read the tree, since root reads a directory of mode 0. */
export async function unprivileged<T>(root: string, body: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return body()
  await chmod(root, 0o755)
  process.seteuid?.(nobody)
  try {
    return await body()
  } finally {
    process.seteuid?.(0)
  }
}
