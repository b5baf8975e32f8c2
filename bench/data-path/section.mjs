// SPDX-License-Identifier: Apache-2.0
// The results as a section of docs/performance.md, which has others.
import { table, withSection } from '../document.mjs'
import { median } from '../median.mjs'
import { metCell, requirement } from '../row.mjs'

/**
 * @typedef {import('./judge.mjs').ComparedRow} ComparedRow
 * @typedef {import('./judge.mjs').JudgedRow} JudgedRow
 * @typedef {{ cpu: string, cores: number, memoryGiB: number, isVirtual: boolean, linux: string, node: string, compiler: string, load: number, guestCores: number, accelerator: string, qemu: string }} Machine
 * @typedef {{ rounds: number, guestRounds: number, sizeMiB: number, machine: Machine, rows: (ComparedRow | JudgedRow)[] }} Results
 */

const HEADING = '## Data path'

/** @param {string} text the document's @param {Results} results @returns {string} the document with this section anew */
export const withDataPath = (text, results) => withSection(text, HEADING, body(results))

/** @param {Results} results */
const body = results => `${introduction(results)}

${table([['measured', 'against', 'ours', 'yardstick', 'ratio', 'null', 'required', 'met'], ...results.rows.map(rowCells)])}

A ratio is ours relative to the yardstick: how much faster where _at least_ is required, how much dearer where _at most_. It is the median of the ratios of ${results.rounds} rounds, in the virtual machine of ${results.guestRounds}, within which each program has its turn, in changing order and in a process of its own; _ours_ and _yardstick_ are medians too. Each program times its own loop, warm: the start of Node is not in it, through ours and Node's 64 MiB went the same way before, and a C program has its memory. _Null_ is the yardstick once more, by the same measure: where that is not within 0.98 and 1.02 the machine was too noisy, the run is made up to twice again, and then said to be neither met nor not.${disturbances(results.rows)} That all bytes have arrived, and the right ones, is checked by their CRC-32 in a run that is not timed, and by their number in all others.

The file is the session's own fd, over a [fake kernel](../test/native/fake-kernel/fake.h) that answers for the device and is not between the fd and its reader. The growth of what is resident is its peak over ${results.sizeMiB * 8} MiB, beside what was resident when ${results.sizeMiB} MiB had gone that way before. The last rows are in a virtual machine, with the kernel's own mlx5 driver on [simulated firmware](firmware-model.md): the command, in its own process, and a C program are timed from the answer to STOP_COPY to the last byte; no figure of theirs is one of hardware. All values: [bench/results/data-path.json](../bench/results/data-path.json).
`

/** @param {Results} results */
function introduction({ sizeMiB, machine }) {
  const { cpu, cores, memoryGiB, isVirtual, linux, node, compiler, load } = machine
  const where = `${cores} cores of ${cpu}${isVirtual ? ' in a virtual machine' : ''}, ${memoryGiB} GiB of memory`
  const guests = `QEMU ${machine.qemu}, ${machine.accelerator}, ${machine.guestCores} cores in the guest`
  return `How fast a device's state goes through, where the device is none: ${sizeMiB} MiB from tmpfs handed in as a session's fd, beside C programs that do the same and nothing else ([bench/data-path](../bench/data-path)).

Measured with \`npm run bench\` on ${where} (load before: ${load.toFixed(1)}); Linux ${linux}, Node ${node.slice(1)}, ${compiler}; ${guests}.`
}

/** @param {Results['rows']} rows */
function disturbances(rows) {
  const known = rows.flatMap(row => ('disturbance' in row && row.disturbance ? [row.disturbance] : []))
  if (known.length === 0) return ''
  const sum = (/** @type {'madeAgain' | 'kept'} */ what) =>
    known.reduce((total, each) => total + each[what], 0)
  return ` A round on this machine during which the hypervisor took more than a hundredth of a CPU away was made again, for a row at most as often as it has rounds: ${sum('madeAgain')} were made again, and ${sum('kept')} that were disturbed are among those that count.`
}

/** @param {ComparedRow | JudgedRow} row */
function rowCells(row) {
  const { name, against, ratio } = row
  const verdict = [requirement(row), metCell(row)]
  if (!('unit' in row)) return [name, against, '', '', ratio.toFixed(1), '', ...verdict]
  const figures = [row.ours, row.yardstick].map(values => `${threeDigits(median(values))} ${row.unit}`)
  return [name, against, ...figures, ratio.toFixed(3), row.nullRatio.toFixed(3), ...verdict]
}

/** @param {number} value */
const threeDigits = value => String(Number(value.toPrecision(3)))
