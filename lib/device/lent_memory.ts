// SPDX-License-Identifier: Apache-2.0

/**
 * What reads have lent to JavaScript. A write of it is made from where it lies, so that it must not change before it is
 * answered. @internal
 */
export const lentMemory: WeakSet<ArrayBufferLike> = new WeakSet()
