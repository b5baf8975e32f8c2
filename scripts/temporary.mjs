// SPDX-License-Identifier: Apache-2.0
// Directories for one run. Their names carry our user, our pid namespace and our process, so that a later run removes
// what a killed one left: only its own user's, and only where it can tell whether the process still lives.
import { existsSync, lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const USER = process.getuid?.() ?? 0
/** A container may share the directory, but not the numbers of the processes. */
const NAMESPACE = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
const OURS = new RegExp(`^vfio-migrate-[a-z]+-${USER}-${NAMESPACE}-(\\d+)-`)

/** @param {string} entry */
function isLeftOver(entry) {
  const owner = entry.match(OURS)?.[1]
  if (!owner || existsSync(`/proc/${owner}`)) return false
  return lstatSync(join(tmpdir(), entry)).uid === USER
}

/** @param {string} purpose @returns {string} */
export function temporaryDirectory(purpose) {
  for (const entry of readdirSync(tmpdir())) {
    try {
      if (isLeftOver(entry)) rmSync(join(tmpdir(), entry), { recursive: true, force: true })
    } catch {
      // Another run was faster, or it is not ours to remove after all: this run does not need it gone.
    }
  }
  return mkdtempSync(join(tmpdir(), `vfio-migrate-${purpose}-${USER}-${NAMESPACE}-${process.pid}-`))
}
