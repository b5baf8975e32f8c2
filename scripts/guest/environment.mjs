// SPDX-License-Identifier: Apache-2.0
// What a program in the guest is told about its kernel.
import { ensureModules } from '../vm/modules.mjs'

/**
 * VFIO_MIGRATE_KERNEL_RELEASE, _TREE (built, for more modules) and _MODULES (a directory with our *.ko).
 * The last two are missing with a kernel that is not ours.
 * @param {import('../vm/kernel.mjs').Kernel} kernel
 * @returns {Promise<Record<string, string>>}
 */
export async function guestEnvironment(kernel) {
  const color = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  if (!kernel.tree || !kernel.release) return color
  const modules = await ensureModules(kernel)
  return {
    ...color,
    VFIO_MIGRATE_KERNEL_RELEASE: kernel.release,
    VFIO_MIGRATE_KERNEL_TREE: kernel.tree,
    ...(modules && { VFIO_MIGRATE_KERNEL_MODULES: modules }),
  }
}
