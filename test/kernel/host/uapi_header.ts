// SPDX-License-Identifier: Apache-2.0

/** What native/core/uapi.h states. */
export interface StatedUapi {
  readonly constants: readonly string[]
  readonly structs: readonly { readonly name: string; readonly members: readonly string[] }[]
}

/** Reads the names out of the header: every constant, every struct with every member. */
export function parseUapi(text: string): StatedUapi {
  const code = text.replaceAll(/\/\/.*$/gm, '')
  return {
    constants: linesOf(code, /^constexpr (?!.*\) \{)/).map(line =>
      nameIn(line, /^constexpr \w[\w ]* (k\w+) =/),
    ),
    structs: [...code.matchAll(/^struct (\w+) \{\n(.*?)^\};/gms)].map(([, name = '', body = '']) => ({
      name,
      members: linesOf(body, /\S/).map(line => nameIn(line, /^ +\w+ (\w+);$/)),
    })),
  }
}

function linesOf(text: string, pattern: RegExp): string[] {
  return text.split('\n').filter(line => pattern.test(line))
}

/** A line that is not understood must not go uncompared. */
function nameIn(line: string, pattern: RegExp): string {
  const name = pattern.exec(line)?.[1]
  if (name === undefined) throw new Error(`uapi.h has a line that this test cannot read: ${line}`)
  return name
}
