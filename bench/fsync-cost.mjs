#!/usr/bin/env node
// What this disk asks for durability: 4 KiB appends, each followed by fdatasync; and small files, each created + fsynced.
import fs from 'node:fs';
import path from 'node:path';
import { args, now, percentiles, report, round } from './lib.mjs';

const o = args({ dir: '.', seconds: 3, bytes: 4096 });
const dir = fs.mkdtempSync(path.join(o.dir, 'fsync-'));
const b = Buffer.alloc(o.bytes, 97);
const lat = [];
const lat2 = [];
const f = fs.openSync(path.join(dir, 'log'), 'w');
let t0 = now();
while (now() - t0 < o.seconds * 1000) {
  const t = now();
  fs.writeSync(f, b);
  fs.fdatasyncSync(f);
  lat.push(now() - t);
}
const append = lat.length / ((now() - t0) / 1000);
t0 = now();
let n = 0;
while (now() - t0 < o.seconds * 1000) {
  const t = now();
  const g = fs.openSync(path.join(dir, `f${n++}`), 'w');
  fs.writeSync(g, b);
  fs.fsyncSync(g);
  fs.closeSync(g);
  lat2.push(now() - t);
}
const files = n / ((now() - t0) / 1000);
fs.rmSync(dir, { recursive: true });
const p2 = percentiles(lat2);
report({
  kind: 'fsync',
  appends_s: round(append),
  ...percentiles(lat),
  files_s: round(files),
  file_p50_ms: p2.p50_ms,
  file_p99_ms: p2.p99_ms,
});
