#!/usr/bin/env node
// runs.mjs N COMMAND…: runs the command N times, reads each run's last line as JSON, prints median [min..max] of its figures.
// {run} in an argument becomes the run's number from 0 (say --offset for fresh mailboxes); {run*100} that times 100.
import { spawnSync } from 'node:child_process';

const [n, ...cmd] = process.argv.slice(2);
const all = [];
let bad = 0;
for (let i = 0; i < Number(n); i++) {
  const a = cmd.map((x) =>
    x.replace(/\{run(?:\*(\d+))?(?:\+(\d+))?\}/g, (_, m, p) => String(i * Number(m ?? 1) + Number(p ?? 0))),
  );
  const r = spawnSync(a[0], a.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });
  try {
    all.push(JSON.parse(r.stdout.trim().split('\n').pop()));
  } catch {
    bad++;
    console.error(r.stdout);
  }
  if (r.status) {
    bad++;
    console.error(r.stdout.trim().slice(-400));
  }
}
const out = {};
for (const k of Object.keys(all[0] ?? {})) {
  const v = all.map((x) => x[k]);
  if (v.some((x) => typeof x !== 'number')) {
    out[k] = v[0];
    continue;
  }
  v.sort((a, b) => a - b);
  const med = v.length % 2 ? v[(v.length - 1) / 2] : (v[v.length / 2 - 1] + v[v.length / 2]) / 2;
  out[k] = v[0] === v[v.length - 1] ? v[0] : `${Math.round(med * 1000) / 1000} [${v[0]}..${v[v.length - 1]}]`;
}
console.log(JSON.stringify(out));
process.exit(bad ? 1 : 0);
