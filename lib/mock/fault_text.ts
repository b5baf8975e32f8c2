// SPDX-License-Identifier: Apache-2.0
import type { Fault } from './faults.ts'

/**
 * The fault in `SAVE:2:EIO`: the point; which time from now on, 1 unless told; what happens then, which is the name of an
 * errno, `status=9`, `hold`, `reset`, `flip=N`, `cut=N`, or several of them. Whether a device can have it is not looked at.
 */
export function parseFault(text: string): Fault {
  const [on, ...words] = text.split(':')
  return Object.assign({ on }, ...words.map(fieldOf)) as Fault
}

function fieldOf(word: string): Record<string, unknown> {
  if (/^\d+$/.test(word)) return { nth: Number(word) }
  if (word === 'hold' || word === 'reset') return { [word]: true }
  const [, field = '', value = ''] = /^(status|flip|cut)=(.*)$/.exec(word) ?? []
  return field === ''
    ? { errno: word }
    : { [field]: /^\d+$|^0x[0-9a-f]+$/i.test(value) ? Number(value) : value }
}
