// SPDX-License-Identifier: Apache-2.0
import { stat } from 'node:fs/promises'
import type { Envelope, Recorder } from './context.ts'
import { UsageError } from './refusals.ts'
import { refuseOtherThanFile, WholeFile } from './whole_file.ts'

/**
 * The file of --report, opened before any device is.
 * @throws UsageError for one that cannot be written.
 */
export async function openReport(named: string): Promise<Recorder> {
  if (named === '') throw new UsageError('--report names a file: an empty name is none')
  if (named === '-') throw new UsageError('--report names a file: for stdout say --json')
  await refuseOtherThanFile(named, () => '--report writes one')
  // What stood there before says who may read it.
  const mode = await stat(named).then(
    found => found.mode & 0o7777,
    () => undefined,
  )
  const file = await WholeFile.create(named, 0o666, mode).catch((error: unknown) => {
    const { message } = error as Error
    throw new UsageError(`--report: ${message}. Name a file in a directory that you may write in`, {
      cause: error,
    })
  })
  return new ReportFile(file)
}

class ReportFile implements Recorder {
  readonly #file: WholeFile

  constructor(file: WholeFile) {
    this.#file = file
  }

  async record(result: Envelope): Promise<void> {
    await this.#file.write(Buffer.from(`${JSON.stringify(result, undefined, 2)}\n`))
    await this.#file.commit()
  }

  recordAtOnce(result: Envelope): void {
    this.#file.finishAtOnce(Buffer.from(`${JSON.stringify(result, undefined, 2)}\n`))
  }

  async close(): Promise<void> {
    await this.#file.discard()
  }
}
