// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files of one test: they are by their names in a directory of its own, or by whole paths. */
interface TemporaryFiles {
  readonly path: (name: string) => string
  readonly textOf: (name: string) => Promise<string>
  /** Its fd is closed after the test. */
  readonly openFile: (name: string, flags: string) => Promise<number>
}

/** For each test of the describe() that calls it. */
export function temporaryFiles(): TemporaryFiles {
  let directory: string
  let files: FileHandle[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vfio-files-'))
    files = []
  })
  afterEach(async () => {
    await Promise.all(files.map(file => file.close()))
    await rm(directory, { recursive: true })
  })

  const path = (name: string): string => join(directory, name)
  return {
    path,
    textOf: name => readFile(path(name), 'utf8'),
    async openFile(name, flags) {
      const file = await open(name.startsWith('/') ? name : path(name), flags)
      files.push(file)
      return file.fd
    },
  }
}
