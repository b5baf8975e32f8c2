// SPDX-License-Identifier: Apache-2.0

const slowness = Number(process.env.VFIO_TEST_SLOWNESS ?? 1)

/** For what has to come to an end by itself: it fails, with `who` has not, after a time that nothing takes. */
export async function within<T>(promise: Promise<T>, who: () => string, seconds = 20): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`came to no end: ${who()}`)), seconds * 1000 * slowness)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
