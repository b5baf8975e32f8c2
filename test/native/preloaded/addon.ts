// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Addon } from '#lib/backend/seam.js'

const built = fileURLToPath(new URL('../../../build/Release/vfio_migrate.node', import.meta.url))

/** The addon as it was just built, or the variant that a script names; never a prebuild. */
export const addonPath: string = process.env.VFIO_MIGRATE_ADDON ?? built

export const addon = createRequire(import.meta.url)(addonPath) as Addon
