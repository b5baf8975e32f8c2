import { workloads } from './workloads.mjs'
import { World } from './world.mjs'
import { ours } from './ours.mjs'
import { switchOver } from './switchover.mjs'
const fam = +process.argv[2] || 1,
  nw = +process.argv[3] || 200,
  ns = +process.argv[4] || 8
const q = (a, p) => {
  const s = [...a].sort((x, y) => x - y)
  return s.length ? s[Math.min(s.length - 1, Math.floor(p * s.length))] : NaN
}
const t0 = performance.now()
const runs = []
for (const w of workloads(fam, nw))
  for (let s = 0; s < ns; s++) {
    const none = switchOver(new World(w, s), 0, i => w.devices[i].stateBytes)
    const o = await ours(new World(w, s))
    runs.push({ w, s, none, o })
  }
console.log(
  'runs',
  runs.length,
  ((performance.now() - t0) / 1000).toFixed(1) + 's',
  'rounds max',
  Math.max(...runs.map(r => r.o.rounds)),
  'mean',
  runs.reduce((a, r) => a + r.o.rounds, 0) / runs.length,
)
const err = r => r.o.predictedMs / r.o.downtimeMs
const show = (n, f) => {
  const a = runs.filter(f)
  const e = a.map(err)
  console.log(
    n.padEnd(28),
    a.length,
    'within20 of actual',
    (e.filter(x => Math.abs(x - 1) <= 0.2).length / a.length).toFixed(3),
    'p5',
    q(e, 0.05)?.toFixed(2),
    'p50',
    q(e, 0.5)?.toFixed(2),
    'p95',
    q(e, 0.95)?.toFixed(2),
  )
}
show('all', () => true)
for (const d of ['mlx5', 'virtio', 'setup', 'none']) show(d, r => r.w.devices[0].driver === d)
show('mlx5 chunk', r => r.w.devices[0].chunkBytes)
show('mlx5 set', r => r.w.devices.length > 1 && r.w.devices[0].driver == 'mlx5')
show('phases', r => r.w.devices.some(d => d.phases))
show('reinit', r => r.w.devices.some(d => d.reinitMeanMs))
show('fails', r => r.w.devices.some(d => d.failsAtSave))
show('idle', r => r.w.dirtyOfLink === 0 && r.w.devices[0].driver == 'mlx5')
show(
  'plain',
  r =>
    r.w.devices.length == 1 &&
    r.w.devices[0].driver == 'mlx5' &&
    r.w.devices.every(d => !d.phases && !d.reinitMeanMs && !d.failsAtSave && !d.chunkBytes),
)
const self = runs.filter(r => r.o.predictedMs <= 300)
console.log(
  'self-chosen',
  self.length,
  'within limit',
  (self.filter(r => r.o.downtimeMs <= 300).length / self.length).toFixed(4),
  'above 1.5x',
  self.filter(r => r.o.downtimeMs > 450).length,
  'of which reinit',
  self.filter(r => r.o.downtimeMs > 450 && r.o.beganAnew).length,
  'unforeseen reinit',
  runs.filter(r => r.o.beganAnew).length,
)
for (const r of self.filter(r => r.o.downtimeMs > 450).slice(0, 12))
  console.log(
    '  ',
    r.w.id,
    r.s,
    r.w.devices[0].driver,
    r.o.predictedMs.toFixed(0),
    r.o.worstMs.toFixed(0),
    r.o.downtimeMs.toFixed(0),
    r.o.rounds,
    'phases',
    JSON.stringify(r.w.devices.map(d => d.phases?.ratio)),
    'dirty',
    r.w.dirtyOfLink.toFixed(2),
    r.o.beganAnew,
    r.o.why,
  )
const pop = runs.filter(r => r.none.imageMs / r.none.downtimeMs > 0.5 && r.w.dirtyOfLink < 0.5)
const ratio = r => r.o.downtimeMs / r.none.downtimeMs
const mean = a => a.reduce((x, y) => x + y, 0) / a.length
console.log(
  'vs none',
  pop.length,
  'mean ratio',
  mean(pop.map(ratio)).toFixed(3),
  'ratio of means',
  (mean(pop.map(r => r.o.downtimeMs)) / mean(pop.map(r => r.none.downtimeMs))).toFixed(3),
  'share>=30%',
  (pop.filter(r => ratio(r) <= 0.7).length / pop.length).toFixed(3),
)
const ip = pop.filter(r => r.w.devices[0].driver == 'mlx5')
console.log(
  '  mlx5 only',
  ip.length,
  'mean ratio',
  mean(ip.map(ratio)).toFixed(3),
  'share',
  (ip.filter(r => ratio(r) <= 0.7).length / ip.length).toFixed(3),
)
const ends = {}
for (const r of runs) {
  const k = r.o.why.replace(/[\d.e+]+/g, 'N')
  ends[k] = (ends[k] || 0) + 1
}
console.log(ends)
console.log('worst prediction misses')
for (const r of runs
  .filter(r => Math.abs(err(r) - 1) > 0.2 && r.w.devices[0].driver == (process.argv[5] || 'mlx5'))
  .sort((a, b) => a.s - b.s || a.w.id - b.w.id)
  .slice(0, 25))
  console.log(
    '  ',
    r.w.id,
    r.s,
    'n',
    r.w.devices.length,
    'dirty',
    r.w.dirtyOfLink.toFixed(2),
    'pred',
    r.o.predictedMs.toFixed(1),
    'act',
    r.o.downtimeMs.toFixed(1),
    'rounds',
    r.o.rounds,
    'ph',
    r.w.devices[0].phases?.ratio?.toFixed(1),
    're',
    !!r.w.devices[0].reinitMeanMs,
    'fail',
    r.w.devices[0].failsAtSave,
    'chunk',
    !!r.w.devices[0].chunkBytes,
    'ws',
    (r.w.devices[0].workingSetBytes / r.w.devices[0].stateBytes).toFixed(2),
    r.o.why.slice(0, 50),
  )
