// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { arcText, bytesText, msText } from '#lib/cli/quantity.js'

describe('quantities for a person', () => {
  it('has few bytes exact and many in binary units', () => {
    const texts = [0, 1, 1023, 1024, 1024 ** 2 - 1, 1024 ** 2, 1.5 * 1024 ** 3, 5000 * 1024 ** 4].map(
      bytesText,
    )
    assert.deepEqual(texts, [
      '0 bytes', '1 byte', '1023 bytes', '1.0 KiB', '1024.0 KiB', '1.0 MiB', '1.5 GiB', '5000.0 TiB',
    ]) // prettier-ignore
  })

  it('has times to the microsecond, and long ones in seconds', () => {
    assert.deepEqual([0.0421, 9999, 61_000].map(msText), ['0.042 ms', '9999.000 ms', '61.0 s'])
  })

  it('puts arcs into columns', () => {
    const lines = [
      arcText({ from: 'STOP', to: 'RUNNING_P2P', ms: 1 }),
      arcText({ from: 'PRE_COPY_P2P', to: 'STOP_COPY', ms: 1234.5678 }),
    ]
    assert.deepEqual(lines, [
      'STOP         → RUNNING_P2P      1.000 ms',
      'PRE_COPY_P2P → STOP_COPY     1234.568 ms',
    ])
  })
})
