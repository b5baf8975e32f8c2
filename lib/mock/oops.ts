// SPDX-License-Identifier: Apache-2.0

/**
 * The kernel would have crashed: it dereferences something that is not there any more, with the device's mutex held.
 * The call that made it do so rejects with this, and so does every later call on the device.
 */
export class MockOops extends Error {
  override readonly name = 'MockOops'
  /** What would have been dereferenced. */
  readonly what: string

  constructor(device: string, what: string) {
    super(`'${device}': on a real kernel this call is a crash: ${what}`)
    this.what = what
  }
}
