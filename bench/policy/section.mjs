// SPDX-License-Identifier: Apache-2.0
// The results as a section of docs/performance.md, which has others.
import { table, withSection } from '../document.mjs'
import { metCell, requirement } from '../row.mjs'
import { isForeseen, mean, populations, share } from './judge.mjs'

/**
 * @typedef {import('./judge.mjs').Row} Row
 * @typedef {import('./judge.mjs').Run} Run
 * @typedef {{ part: string, runs: number, foreseen: number, turnedBack: number, rounds: number, movedOfState: number }} Detail
 * @typedef {{ family: number, workloads: number, seeds: number, rows: Row[], details: Detail[], turnedBack: TurnedBack }} Judged
 * @typedef {{ runs: number, longestPauseMs: number }} TurnedBack
 * @typedef {{ simulation: true, rows: (Row & { whileTuning: number })[], final: Judged, tuning: Judged }} Results
 */

const HEADING = '## Stop rule (a simulation)'

/** @param {string} text the document's @param {Results} results @returns {string} the document with this section anew */
export const withPolicy = (text, results) => withSection(text, HEADING, body(results))

/** @type {Record<string, (run: Run) => boolean>} */
const parts = {
  'mlx5, one device': ({ workload: { devices } }) => devices[0].driver === 'mlx5' && devices.length === 1,
  'mlx5, a set': ({ workload: { devices } }) => devices[0].driver === 'mlx5' && devices.length > 1,
  'mlx5 in chunks': ({ workload: { devices } }) => devices[0].chunkBytes !== undefined,
  'mlx5 that dirties nothing': ({ workload }) =>
    workload.devices[0].driver === 'mlx5' && workload.dirtyOfLink === 0,
  'mlx5 with phases': ({ workload: { devices } }) => devices.some(({ phases }) => phases),
  'mlx5 that begins anew': ({ workload: { devices } }) => devices.some(({ reinit }) => reinit),
  'mlx5 that gives pre-copy up': ({ workload: { devices } }) =>
    devices.some(({ failsAtSave }) => failsAtSave),
  virtio: ({ workload: { devices } }) => devices[0].driver === 'virtio',
  'qat, hisi_acc, mtty': ({ workload: { devices } }) => devices[0].driver === 'setup',
  'pds, xe (no pre-copy)': ({ workload: { devices } }) => devices[0].driver === 'none',
}

/** @param {Run[]} runs @returns {Detail[]} */
export function details(runs) {
  return Object.entries(parts).map(([part, isOf]) => {
    const some = populations.ended(runs.filter(isOf))
    const states = some.map(({ workload }) =>
      workload.devices.reduce((sum, { stateBytes }) => sum + stateBytes, 0),
    )
    return {
      part,
      runs: some.length,
      foreseen: share(some, isForeseen),
      turnedBack: some.filter(({ ours }) => ours.turnedBack).length,
      rounds: mean(some.map(({ ours }) => ours.rounds)),
      movedOfState: mean(some.map(({ ours }, index) => ours.movedBytes / states[index])),
    }
  })
}

/** @param {Run[]} runs @returns {TurnedBack} */
export function turnedBack(runs) {
  const pauses = populations.ended(runs).flatMap(({ ours }) => (ours.turnedBack ? ours.downtimeMs : []))
  return { runs: pauses.length, longestPauseMs: Math.max(0, ...pauses) }
}

/** @param {Results} results */
const body = ({
  rows,
  final,
  tuning,
}) => `When to stop pre-copying, judged in a **simulation on virtual time: no device, no kernel and no network has been measured here**. The loop, the estimator, the policy and the rule to turn back are the ones that \`migrate()\` runs; the devices are numbers that follow the drivers' rules, with times that are noisy in a way that the engine cannot see. \`npm run bench:policy\` makes ${final.workloads} workloads × ${final.seeds} seeds and gives the same numbers every time: [bench/results/policy.json](../bench/results/policy.json).

A workload draws a state of 1 MiB to 4 GiB (qat, hisi_acc and mtty: some bytes; pds: 64 KiB), 0 to 120 % of the link dirtied, a link of 1 to 100 Gb/s, SAVE at 0.5 to 5 and LOAD at 0.3 to 4 times its speed, and a firmware whose commands take 0.1 to 20 ms, of every fourth one 20 to 100 ms: SUSPEND, SAVE and LOAD up to twice or half of that each, QUERY less; a fifth are sets of two to four devices. Some save their final image in chunks, write a small working set again and again, change their rate up to twentyfold from one moment to the next, begin anew (REINIT) once or several times in short order, or give pre-copy up without a word. The limit is 300 ms. Three contestants meet in the same worlds:

- **no pre-copy**: stopped at once.
- **the threshold rule** of QEMU 10.0, for devices alone, with no cap on the bandwidth: it stops when MIG_DATA_SIZE is below measured bandwidth × limit, and never where it is not. It is said not to end after 3 s of trying with all initial bytes loaded.
- **ours**: \`presetPolicy()\`. It foresees the downtime from measured increments, SAVE, link and LOAD; it stops when that is within the limit, also if things go as badly as they have gone, and rounds have ceased to make it much shorter.

${table(rowCells(rows, tuning.rows))}

The rule was tuned on families of workloads and seeds of which one has the figures _while tuning_; _ratio_ is of another family, with other seeds, that it was not tuned on. What either of them misses is not met. *Where there is something to gain*: the bytes of images make more than half of the downtime without pre-copy, and less than half of the link is dirtied. *Where it chose to switch*: pre-copy could have gone on, and the downtime foreseen was within the limit; where nothing can improve, or three rounds without gain are over the limit, it switches for want of anything better.

A device that begins anew between its last image and the switch has its whole state to give, which nothing tells before it stands. Then its first record does, and where that would make half as much again of the limit the source runs again, the migration has failed, and may be tried once more. That is a run that ends, and no switch: it counts as not within the limit and as not foreseen; its pause is its downtime in the comparisons. ${pauses(final)}; while tuning, ${pauses(tuning)}.

![How downtimes compare, as a distribution](performance/stop-rule-downtime.svg)

![Predicted and actual downtimes](performance/stop-rule-prediction.svg)

Of whom how many downtimes were foreseen within 20 %, how many rounds they took, and what was moved in pre-copy, in states:

${table([['kind', 'runs', 'foreseen', 'turned back', 'rounds', 'moved'], ...final.details.map(detailCells)])}

Where a device has no pre-copy nothing but its arcs was measured before it stands, and the prediction is a guess from its size; of qat, hisi_acc and mtty, and of a device that dirties nothing, no image of the final one's size was seen, so that the time of a SAVE and a LOAD is a guess too, from what the firmware took to be suspended.
`

/** @param {Results['rows']} rows @param {Row[]} tuned @returns {string[][]} */
function rowCells(rows, tuned) {
  const head = ['measure', 'of', 'ratio', 'runs', 'while tuning', 'runs', 'required', 'met']
  const cells = rows.map((row, index) => [
    ...[row.name, row.against, figure(row.ratio), String(row.runs)],
    ...[figure(row.whileTuning), String(tuned[index].runs), requirement(row), metCell(row)],
  ])
  return [head, ...cells]
}

/** @param {Judged} judged */
function pauses({ workloads, seeds, turnedBack: { runs, longestPauseMs } }) {
  const count = `${runs} of ${workloads * seeds} runs turned back`
  return runs === 0 ? count : `${count}, after a pause of ${Math.round(longestPauseMs)} ms at most`
}

/** Four digits say whether it is met. @param {number} value */
const figure = value => String(Number(value.toFixed(4)))

/** @param {Detail} detail */
function detailCells({ part, runs, foreseen, turnedBack, rounds, movedOfState }) {
  const counts = [part, String(runs), `${(foreseen * 100).toFixed(1)} %`, String(turnedBack)]
  return [...counts, rounds.toFixed(1), movedOfState.toFixed(2)]
}
