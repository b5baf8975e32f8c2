// SPDX-License-Identifier: Apache-2.0
// Reads a kernel's console for what no test may cause unannounced.

/** How the kernel begins a line about its own trouble. */
const TROUBLE = [
  /\bWARNING: /,
  /\bBUG: /,
  /\bkernel BUG at /,
  /\bOops: /,
  /\bKASAN: /,
  /\bUBSAN: /,
  /\bINFO: (task|rcu|possible|trying) /,
  /\bgeneral protection fault/,
  /\brefcount_t: /,
  /\bKernel panic - not syncing/,
  /list_(add|del) corruption/,
  /\bsysfs: cannot create duplicate filename/,
]

/** What a test writes to /dev/kmsg before it provokes a warning whose line contains the text after it. */
const ANNOUNCEMENT = /EXPECT-KERNEL-WARNING (.+)$/

/**
 * @param {string} log
 * @returns {string[]} the lines about trouble that nobody announced
 */
export function kernelWarnings(log) {
  /** @type {string[]} */
  const expected = []
  /** @type {string[]} */
  const warnings = []
  for (const line of log.split(/\r?\n/)) {
    const announced = line.match(ANNOUNCEMENT)?.[1]
    if (announced) expected.push(announced.trim())
    else if (TROUBLE.some(pattern => pattern.test(line)) && !expected.some(text => line.includes(text)))
      warnings.push(line)
  }
  return warnings
}
