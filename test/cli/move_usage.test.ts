// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failureOf } from './command.js'

const wholeNumber = /'--(max-rounds|per-pf-limit) <n>'.* It is a whole number from 1 on\.$/
const milliseconds = /'--downtime-limit <ms>'.* It is a number of milliseconds above 0, such as 300\.$/
const commandLine = /'--(quiesce|running|resumed) <command>'.* It is a command line for \/bin\/sh/

/** What cannot be meant, and what is said of it: the option, and what it takes. */
const cases: readonly (readonly [words: string, message: RegExp])[] = [
  ['--downtime-limit 0', milliseconds],
  ['--downtime-limit -1', milliseconds],
  ['--downtime-limit 300ms', milliseconds],
  ['--downtime-limit Infinity', milliseconds],
  ['--downtime-limit=', milliseconds],
  ['--deadline 90', /'--deadline <duration>'.* It is a time above 0 with its unit, such as 500ms or 5min/],
  ['--deadline 0s', /'--deadline <duration>'/],
  ['--on-deadline abort', /--on-deadline says what happens at the deadline: say --deadline, too/],
  ['--deadline 1s --on-deadline stop', /'--on-deadline <what>'.* Allowed choices are switch, abort\.$/],
  ['--max-rounds 0', wholeNumber],
  ['--max-rounds 1.5', wholeNumber],
  ['--max-rounds many', wholeNumber],
  ['--on-stall wait', /'--on-stall <what>'.* Allowed choices are switch, continue, abort\.$/],
  ['--on-overrun continue', /'--on-overrun <what>'.* Allowed choices are abort, switch\.$/],
  ['--bandwidth 100', /'--bandwidth <rate>'.* It is a rate above 0 with its unit, such as 100MiB\/s/],
  ['--bandwidth 100MB', /'--bandwidth <rate>'/],
  ['--per-pf-limit 0', wholeNumber],
  ['--override firmware', /^--override firmware: there is no such rule that can be overridden: .*\bfirmware-differs\b/],
  ['--override vlan-differs --override same-device', /^--override same-device: there is no such rule that can be/],
  ['--on-stuck retry', /'--on-stuck <what>'.* Allowed choices are reset, leave\.$/],
  ['--no-precopy --max-rounds 3', /'--no-precopy' cannot be used with option '--max-rounds <n>'/],
  ['--no-precopy --deadline 3s', /'--no-precopy' cannot be used with option '--deadline <duration>'/],
  ['--no-precopy --on-stall abort', /'--no-precopy' cannot be used with option '--on-stall <what>'/],
  ['--no-precopy --on-overrun switch', /'--no-precopy' cannot be used with option '--on-overrun <what>'/],
  ['--no-precopy --downtime-limit 50', /'--no-precopy' cannot be used with option '--downtime-limit <ms>'/],
  ['--dry-run --report x', /'--dry-run' cannot be used with option '--report <file>'/],
  ['--report=', /--report names a file: an empty name is none/],
  ['--report -', /--report names a file: for stdout say --json/],
  ['--report /nonexistent/report', /^--report: '\/nonexistent\/report' cannot be written: no such file.*Name a file in a directory/],
  ['--report /dev/null', /^'\/dev\/null' is no file: --report writes one$/],
  ['--participant /run/vmm.sock', /'--participant <unix:path>'.* It is the path of a socket, as in unix:/],
  ['--quiesce=', commandLine],
  ['--running=', commandLine],
  ['--resumed=', commandLine],
  ['--pci --moment-limit 0', /'--moment-limit <seconds>'.* It is a number of seconds above 0/],
  ['--pci --participant-time -1', /'--participant-time <ms>'.* It is a number of milliseconds from 0 on/],
  [
    '--participant-time 5',
    /--participant-time is for a participant: say --participant, --pci or a command, too/,
  ],
  ['--moment-limit 5', /--moment-limit is for a participant: say --participant, --pci or a command, too/],
  ['--stay', /--stay, --exec and --release exclude each other/],
  ['mock:', /'mock:' has no destination: name one behind each source/],
] // prettier-ignore

describe('vfio-migrate move takes for wrong usage, and opens nothing:', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-usage-'))
  const report = join(directory, 'report')
  after(() => rmSync(directory, { recursive: true }))

  for (const [words, message] of cases) {
    it(words, async () => {
      const reporting = words.includes('--report') ? [] : ['--report', report]
      const error = await failureOf(
        ['move', 'mock:', 'mock:', '--release', ...reporting, ...words.split(' ')],
        2,
      )
      assert.equal(error.code, 'ERR_VFIO_USAGE')
      assert.match(error.message, message)
      assert.doesNotMatch(error.stderr, /all of it is simulated/)
      assert.deepEqual(readdirSync(directory), [])
    })
  }

  it('a program for several devices', async () => {
    const words = ['move', 'mock:', 'mock:', 'mock:', 'mock:', '--exec', 'sh']
    assert.match((await failureOf(words, 2)).message, /^--exec hands on one device, and not 2: say --stay or/)
  })

  it('a device that is named twice, wherever', async () => {
    for (const [words, name] of [
      ['fd:3 fd:4 fd:5 fd:3', 'fd:3'],
      ['fd:3 fd:4 fd:4 fd:5', 'fd:4'],
    ] as const) {
      const { message } = await failureOf(['move', ...words.split(' '), '--release'], 2)
      assert.equal(
        message,
        `'${name}' is named twice: each source and each destination is a device of its own`,
      )
    }
  })
})
