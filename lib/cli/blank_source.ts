// SPDX-License-Identifier: Apache-2.0
import { findDevice, isMockName } from '../index.ts'
import { lentFd, type Hand } from './hand.ts'
import { checkMock } from './mock.ts'
import { UsageError } from './refusals.ts'

/**
 * Refuses a PCI function that is named by path as a source, unless it was said that it may be blank: the kernel resets
 * it when it is opened, and its state with it. An mdev keeps its state, a lent fd is open already, a mock has as much
 * state as it was told to have. Opens nothing.
 */
export async function refuseBlankSource(
  name: string,
  { blankSource }: { blankSource?: boolean },
): Promise<void> {
  if (lentFd(name) !== undefined) return
  if (isMockName(name)) {
    await checkMock(name)
    return
  }
  const { kind } = await findDevice(name)
  if (kind !== 'pci' || blankSource) return
  throw new UsageError(
    `'${name}' is a PCI function, and opening it by path resets it: there would be nothing but a blank state to take. ` +
      'Name it as fd:N, with the fd that the process that drives it has passed on; or, for a test, add --blank-source',
  )
}

/** Refuses a mock of another process that opening has reset, likewise: it tells when it is open. */
export function refuseBlankMock(name: string, hand: Hand, { blankSource }: { blankSource?: boolean }): void {
  if (!name.startsWith('mock+') || !hand.isOpened || blankSource) return
  throw new UsageError(
    `'${name}' is served to die with its client, so that opening it has reset it: there is nothing but a blank state to take. ` +
      "Serve it with dies: 'with-host'; or, for a test, add --blank-source",
  )
}
