// SPDX-License-Identifier: Apache-2.0
// Directories for one run. Their names carry our process, so that a later run removes what a killed one left.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** @param {string} purpose @returns {string} */
export function temporaryDirectory(purpose) {
  for (const entry of readdirSync(tmpdir())) {
    const owner = entry.match(/^vfio-migrate-[a-z]+-(\d+)-/)?.[1]
    if (owner && !existsSync(`/proc/${owner}`))
      rmSync(join(tmpdir(), entry), { recursive: true, force: true })
  }
  return mkdtempSync(join(tmpdir(), `vfio-migrate-${purpose}-${process.pid}-`))
}
