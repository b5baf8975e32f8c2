// SPDX-License-Identifier: Apache-2.0
import { stateNames, type StateName } from '../index.ts'
import { UsageError } from './refusals.ts'

/** A state by the kernel's name; for any other spelling an error that says which one may have been meant. */
export function parseState(word: string): StateName {
  const found = stateNames.find(name => name === word)
  if (found !== undefined) return found
  const meant = stateNames.find(name => name === word.toUpperCase().replaceAll(/[- ]/g, '_')) ?? nearest(word)
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`
  throw new UsageError(`'${word}' is no migration state; the states are ${stateNames.join(' ')}.${hint}`)
}

/** `STATE[,STATE…]` */
export function parseStates(words: string): StateName[] {
  return words.split(',').map(word => parseState(word.trim()))
}

const tolerance = 2

function nearest(word: string): StateName | undefined {
  const ranked = stateNames
    .map(name => ({ name, distance: distance(word.toUpperCase(), name) }))
    .sort((a, b) => a.distance - b.distance)
  return ranked[0] && ranked[0].distance <= tolerance ? ranked[0].name : undefined
}

/** Levenshtein's: how many characters must be changed, left out or put in. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
