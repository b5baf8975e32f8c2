// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseUapi } from './uapi_header.ts'
import { absentIn612, constants, renamedMembers, sizesIn612, structs } from './uapi_names.ts'

const core = fileURLToPath(new URL('../../../native/core', import.meta.url))
const stated = parseUapi(readFileSync(join(core, 'uapi.h'), 'utf8'))

/** One value that uapi.h states, and the kernel's expression for it. */
interface Pair {
  readonly name: string
  readonly ours: string
  readonly kernels: string
}

function constantPair(name: string): Pair {
  return { name, ours: name, kernels: constants[name] ?? '0' }
}

function structPairs({ name, members }: (typeof stated.structs)[number]): Pair[] {
  const theirs = `struct ${structs[name]}`
  const size = { name: `sizeof ${name}`, ours: `sizeof(${name})`, kernels: `sizeof(${theirs})` }
  return [size, ...members.flatMap(member => memberPairs(name, theirs, member))]
}

function memberPairs(ours: string, theirs: string, member: string): Pair[] {
  const name = `${ours}.${member}`
  const kernels = renamedMembers[name] ?? member
  return [
    { name, ours: `offsetof(${ours}, ${member})`, kernels: `offsetof(${theirs}, ${kernels})` },
    {
      name: `sizeof ${name}`,
      ours: `sizeof(${ours}::${member})`,
      kernels: `sizeof(((${theirs} *)nullptr)->${kernels})`,
    },
  ]
}

/** Compiles a program that prints `NAME OURS THEIRS` for each pair, and runs it. */
function compare(headers: string, pairs: readonly Pair[]): string[][] {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-uapi-'))
  try {
    const program = join(directory, 'compare')
    compile(programOf(pairs), headers, ['-o', program])
    const lines = execFileSync(program, { encoding: 'utf8' }).trim().split('\n')
    return lines.map(line => line.split('\t'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function programOf(pairs: readonly Pair[]): string {
  const prints = pairs.map(({ name, ours, kernels }) => `  Print("${name}", ${ours}, ${kernels});`)
  return [
    '#include <linux/vfio.h>',
    '#include <cstdio>',
    '#include "uapi.h"',
    'using namespace vfio_migrate::uapi;',
    'static void Print(const char* name, unsigned long long ours, unsigned long long kernels) {',
    '  printf("%s\\t%#llx\\t%#llx\\n", name, ours, kernels);',
    '}',
    'int main() {',
    ...prints,
    '}',
  ].join('\n')
}

function compile(program: string, headers: string, output: readonly string[]): void {
  const options = ['-std=c++17', '-isystem', headers, '-I', core, '-x', 'c++', '-', ...output]
  execFileSync('g++', options, { input: program, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** `6.12` from <linux/version.h>. */
function versionOf(headers: string): string {
  const text = readFileSync(join(headers, 'linux/version.h'), 'utf8')
  const number = (name: string): string => new RegExp(`LINUX_VERSION_${name} (\\d+)`).exec(text)?.[1] ?? '?'
  return `${number('MAJOR')}.${number('PATCHLEVEL')}`
}

const allPairs = [...stated.constants.map(constantPair), ...stated.structs.flatMap(structPairs)]
const isAbsentIn612 = ({ name }: Pair): boolean => absentIn612.includes(name.replace(/^sizeof /, ''))

/** As 6.12 has them: without what came later, and with the sizes of that time. */
function pairsOf612(): Pair[] {
  return allPairs
    .filter(pair => !isAbsentIn612(pair))
    .map(pair => {
      const [, struct = ''] = /^sizeof (\w+)$/.exec(pair.name) ?? []
      const size = sizesIn612[struct]
      return size === undefined ? pair : { ...pair, ours: String(size) }
    })
}

const trees = (process.env.VFIO_MIGRATE_KERNEL_HEADERS ?? '').split(':').filter(Boolean)

describe("native/core/uapi.h beside the kernels' own headers", function () {
  this.timeout(60_000)

  it('states nothing that the table of names lacks, and the table names nothing else', () => {
    assert.deepEqual(stated.constants.toSorted(), Object.keys(constants).toSorted())
    assert.deepEqual(stated.structs.map(({ name }) => name).toSorted(), Object.keys(structs).toSorted())
    assert.ok(stated.structs.every(({ members }) => members.length > 0))
  })

  it('is compared with the headers of two kernels', () => {
    assert.equal(trees.length, 2, 'VFIO_MIGRATE_KERNEL_HEADERS names them; npm run test:kernel sets it')
    assert.ok(trees.map(versionOf).includes('6.12'))
  })

  for (const headers of trees) {
    const version = versionOf(headers)

    it(`has the numbers, sizes and offsets of Linux ${version}`, () => {
      const pairs = version === '6.12' ? pairsOf612() : allPairs
      const rows = compare(headers, pairs)
      assert.equal(rows.length, pairs.length)
      const ours = rows.map(([name, value]) => `${name} ${value}`)
      const kernels = rows.map(([name, , value]) => `${name} ${value}`)
      assert.deepEqual(ours, kernels)
    })
  }

  for (const pair of allPairs.filter(isAbsentIn612)) {
    it(`knows that Linux 6.12 lacks ${pair.name}`, () => {
      const headers = trees.find(tree => versionOf(tree) === '6.12') ?? assert.fail('no headers of 6.12')
      assert.throws(
        () => compile(programOf([pair]), headers, ['-fsyntax-only']),
        /not declared|has no member/,
      )
    })
  }
})
