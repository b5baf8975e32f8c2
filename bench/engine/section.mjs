// SPDX-License-Identifier: Apache-2.0
// The results as a section of docs/performance.md, which has others.
import { table, withSection } from '../document.mjs'
import { median } from '../median.mjs'
import { metCell, requirement } from '../row.mjs'

/**
 * @typedef {import('./series.mjs').Moved} Moved
 * @typedef {{ cores: number, load: number, guestCores: number, accelerator: string, qemu: string, node: string }} Machine
 * @typedef {{ release: string, series: Record<string, import('./series.mjs').Rounds> }} Measured
 * @typedef {{ machine: Machine, rows: import('./rows.mjs').Row[], kernels: Measured[] }} Results
 */

const HEADING = '## Engine on the bottled mlx5'
const mebibyte = 2 ** 20

/** By the names of the series, and of their ways of moving. @type {Record<string, Record<string, string>>} */
const titles = {
  precopy: {
    engine: 'engine, with pre-copy',
    program: 'C program, with pre-copy',
    again: 'C program, once more',
  },
  stopped: {
    engine: 'engine, without pre-copy',
    program: 'C program, without pre-copy',
    again: 'C program, once more',
  },
  set: { one: 'engine, one device-bound function', set: 'engine, four of them as a set' },
  link: {
    precopy: 'engine, 64 MiB/s, with pre-copy',
    none: 'engine, 64 MiB/s, without pre-copy',
  },
}

/** @param {string} text the document's @param {Results} results @returns {string} the document with this section anew */
export const withEngine = (text, results) => withSection(text, HEADING, body(results))

/** @param {Results} results */
const body = ({
  machine,
  rows,
  kernels,
}) => `How long \`migrate()\` lets a device stand, beside a C program that makes the same arcs, questions, reads and writes and nothing else ([bench/engine/move.c](../bench/engine/move.c)): the kernel's own mlx5 driver with [simulated firmware](firmware-model.md), in a virtual machine. Simulated firmware in an emulated machine: **no figure here is one of hardware**, only the ratios say something.

Measured with \`npm run bench:engine\` on ${machine.cores} cores (load before: ${machine.load.toFixed(1)}); QEMU ${machine.qemu}, ${machine.accelerator}, ${machine.guestCores} cores in the guest; Linux ${kernels.map(({ release }) => release).join(' and ')}; Node ${machine.node.slice(1)}. The state has 64 MiB, of which a workload dirties 8 MiB again and again; for the set it is 1 MiB, and the firmware's commands take 40 ms (SUSPEND, RESUME), 5 ms (QUERY) and 120 ms (SAVE, LOAD), whatever the CPUs do. Functions are reset before each move, and their digests compared after it. Within a round each way has its turn, in changing order; a ratio is the median of the rounds' own. All values: [bench/results/engine.json](../bench/results/engine.json).

${table([['downtime of', 'against', 'ratio', 'required', 'met'], ...rows.map(rowCells)])}

Medians, and the least and the most. _Standing_ is what the firmware's own log says: from the first command that stops a source to the last one that lets a destination run. _Foreseen_ is the downtime that the engine decided for; without pre-copy nothing but its arcs was measured before, and it is a guess from the size.

${table([['Linux', 'moved by', 'downtime, ms', 'foreseen, ms', 'standing, ms', 'in all, ms', 'MiB', 'of them stopped', 'rounds'], ...kernels.flatMap(measuredCells)])}

What the downtime is made of where the link is the bottleneck, medians in ms:

${table(partsOf(kernels))}
`

/** @param {import('./rows.mjs').Row} row */
function rowCells(row) {
  const { name, against, ratio } = row
  return [name, against, ratio.toFixed(2), requirement(row), metCell(row)]
}

/** @param {Measured} measured @returns {string[][]} */
function measuredCells({ release, series }) {
  return waysOf(series).map(({ title, moved }) => {
    const of = (/** @type {(one: Moved) => number} */ value) => moved.map(value)
    return [
      release,
      title,
      spread(of(one => one.downtimeMs)),
      moved[0].predictedMs === undefined ? '' : spread(of(one => one.predictedMs ?? NaN)),
      spread(of(one => one.pausedMs)),
      spread(of(one => one.totalMs)),
      (median(of(one => one.bytes)) / mebibyte).toFixed(1),
      (median(of(one => one.bytes - one.precopyBytes)) / mebibyte).toFixed(1),
      String(moved[0].rounds),
    ]
  })
}

/** @param {Measured['series']} series */
function waysOf(series) {
  return Object.entries(series).flatMap(([name, ways]) =>
    Object.entries(ways).map(([way, moved]) => ({ title: titles[name][way], moved })),
  )
}

/** @param {number[]} values */
const spread = values =>
  `${median(values).toFixed(0)} (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`

/** @param {Measured[]} kernels @returns {string[][]} the first is the head */
function partsOf(kernels) {
  const names = Object.keys(kernels[0].series.link.none[0].parts)
  const cells = kernels.flatMap(({ release, series: { link } }) =>
    Object.entries(link).map(([way, moved]) => [
      release,
      titles.link[way],
      ...names.map(name => median(moved.map(({ parts }) => parts[name])).toFixed(1)),
    ]),
  )
  return [['Linux', 'moved by', ...names], ...cells]
}
