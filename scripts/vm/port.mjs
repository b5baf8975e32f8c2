// SPDX-License-Identifier: Apache-2.0
// The host's end of a guest's output.

/**
 * Passes everything on at once, up to the mark (a zero byte and the word) that the guest sets at the end.
 * @param {import('node:stream').Readable} from
 * @param {NodeJS.WritableStream} to
 * @param {string} word
 * @returns {Promise<void>} resolves at the mark
 */
export function untilMark(from, to, word) {
  const mark = Buffer.from(`\0${word}`)
  let held = Buffer.alloc(0)
  return new Promise(resolve => {
    from.on('error', () => {}) // QEMU was killed: its own end says so
    from.on('data', chunk => {
      const bytes = Buffer.concat([held, chunk])
      const at = bytes.indexOf(mark)
      const upTo = at >= 0 ? at : bytes.length - beginning(bytes, mark)
      to.write(bytes.subarray(0, upTo))
      held = bytes.subarray(upTo)
      if (at >= 0) resolve()
    })
  })
}

/** How many bytes at the end could be the mark's beginning. @param {Buffer} bytes @param {Buffer} mark */
function beginning(bytes, mark) {
  const from = bytes.lastIndexOf(0)
  return from >= 0 && mark.subarray(0, bytes.length - from).equals(bytes.subarray(from))
    ? bytes.length - from
    : 0
}
