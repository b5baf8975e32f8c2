// SPDX-License-Identifier: Apache-2.0
import type { Fault } from './faults.ts'

type Field = Exclude<keyof Fault, 'on'>

/** How each field of a fault is written behind the point, in the order in which they are looked for. */
const forms: readonly (readonly [Field, RegExp, (value: string) => unknown])[] = [
  ['nth', /^(\d+)$/, Number],
  ['hold', /^hold()$/, () => true],
  ['reset', /^reset()$/, () => true],
  ['status', /^status=(.*)$/, numberOr],
  ['flip', /^flip=(.*)$/, numberOr],
  ['cut', /^cut=(.*)$/, numberOr],
  ['errno', /^(E[A-Z0-9]+)$/, String],
]

const effects = 'the name of an errno such as EIO, status=9, hold, reset, flip=N or cut=N'

/**
 * The fault in `SAVE:2:EIO`: the point; which time from now on, 1 unless told; what happens then, which is the name of an
 * errno, `status=9`, `hold`, `reset`, `flip=N`, `cut=N`, or several of them. Whether a device can have it is not looked at.
 * @throws TypeError that names the field for a word that is none of that, or is there twice.
 */
export function parseFault(text: string): Fault {
  const [on, ...words] = text.split(':')
  const fault: Record<string, unknown> = { on }
  for (const [index, word] of words.entries()) {
    const [field, value] = fieldOf(word, index === 0 && words.length > 1)
    if (field in fault) throw new TypeError(`fault.${field}: it is there twice. Give it once`)
    if (field === 'nth' && index > 0)
      throw new TypeError(
        `fault.nth: ${word} is behind what happens. Give it behind the point: ${on}:${word}:…`,
      )
    fault[field] = value
  }
  return fault as unknown as Fault
}

/** `mayBeNth`: it is where the number of the time is, and more follows. */
function fieldOf(word: string, mayBeNth: boolean): readonly [Field, unknown] {
  for (const [field, form, read] of forms) {
    const value = form.exec(word)?.[1]
    if (value !== undefined) return [field, read(value)]
  }
  if (mayBeNth)
    throw new TypeError(`fault.nth: '${word}' is no whole number from 1, nor what happens. Give ${effects}`)
  throw new TypeError(`fault.errno: '${word}' is nothing that happens. Give ${effects}`)
}

function numberOr(text: string): unknown {
  return /^\d+$|^0x[0-9a-f]+$/i.test(text) ? Number(text) : text
}

/** The fault as {@link parseFault} reads it. */
export function faultText({ on, nth, status, errno, hold, reset, flip, cut }: Fault): string {
  const values = Object.entries({ status, flip, cut }).filter(([, value]) => value !== undefined)
  const words = [
    nth,
    errno,
    ...values.map(([field, value]) => `${field}=${value}`),
    hold && 'hold',
    reset && 'reset',
  ]
  return [on, ...words.filter(word => word !== undefined && word !== false)].join(':')
}
