// SPDX-License-Identifier: Apache-2.0

/**
 * Does `work`, and tells of its failure, where that is the file's, by the name that was given: a path made for the purpose
 * was never named.
 */
export async function naming<T>(
  named: string,
  what: 'read' | 'written',
  work: Promise<T>,
  isTheFiles: (error: unknown) => boolean = () => true,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isTheFiles(error)) throw error
    throw new FileError(named, what, error as NodeJS.ErrnoException)
  }
}

/** A file that cannot be read or written. `cause` has the system call, and the path that it was made with. */
class FileError extends Error {
  override readonly name = 'FileError'
  readonly code: string
  readonly errno: number | undefined

  constructor(named: string, what: 'read' | 'written', cause: NodeJS.ErrnoException) {
    const { code = 'ERR_UNKNOWN', errno } = cause
    // Node's message is `CODE: words, syscall 'path'`.
    const words = /^\w+: ([^,]+)/.exec(cause.message)?.[1] ?? cause.message
    super(`'${named}' cannot be ${what}: ${words} (${code})`, { cause })
    this.code = code
    this.errno = errno
  }
}
