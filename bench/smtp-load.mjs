#!/usr/bin/env node
// SMTP load. Prints one JSON line, last; options: docs/benchmarks.md. A reply other than the expected one is an error.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import {
  accounting,
  args,
  bodySlicer,
  cpuSeconds,
  Imap,
  lineConnection,
  now,
  percentiles,
  report,
  round,
  sleep,
  userOf,
} from './lib.mjs';

const o = args({
  host: '127.0.0.1',
  port: 2525,
  conns: 20,
  count: 1000,
  size: 10240,
  rcpts: 1,
  user: 'u{n}@d{d}.example',
  users: 100,
  offset: 0,
  domains: 10,
  dist: 'rr', // rr | random | zipf | one
  from: 'sender@load.example',
  helo: 'load.example',
  auth: '', // auth: user:password for AUTH PLAIN
  'per-conn': 0, // messages per connection, 0 = keep it for the whole run
  'no-pipeline': false,
  seconds: 0, // begin nothing after so many seconds; 0 = the count alone
  'while-pid': 0, // begin nothing after this process has ended
  'rcpt-only': 0, // rcpt-only K: K RCPTs a transaction, then RSET, no DATA; count = RCPTs
  'wait-imap': '',
  password: 'secret', // host:port: wait until every message can be counted in its mailbox
  'wait-pid': 0, // wait until this process has ended
  'wait-quiet': false, // wait until the server has nothing more to do
  sink: 0, // start a sink on this port and wait until it has got every message, which the server relays there
  timeout: 300,
  tree: '', // tree: pids of the server, for its CPU time
});
const N = o.count;
const RCPTS = o['rcpt-only'] || o.rcpts;
const runId = Date.now().toString(36) + process.pid.toString(36);
const slice = bodySlicer(o.size);
let seed = 12345 + o.offset;
const rnd = (n) => {
  seed ^= seed << 13;
  seed >>>= 0;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  seed >>>= 0;
  return seed % n;
};
let rr = 0;
const zipfCum = [];
if (o.dist === 'zipf') {
  let s = 0;
  for (let i = 0; i < o.users; i++) zipfCum.push((s += 1 / (i + 1)));
}
function pick() {
  if (o.dist === 'one') return 0;
  if (o.dist === 'random') return rnd(o.users);
  if (o.dist === 'zipf') {
    const x = (rnd(1 << 30) / (1 << 30)) * zipfCum[o.users - 1];
    let lo = 0;
    let hi = o.users - 1;
    while (lo < hi) {
      const m = (lo + hi) >> 1;
      if (zipfCum[m] < x) lo = m + 1;
      else hi = m;
    }
    return lo;
  }
  return rr++ % o.users;
}
function recipients() {
  if (RCPTS === 1) return [pick()];
  const set = new Set();
  for (let tries = 0; set.size < RCPTS && tries < RCPTS * 20; tries++) set.add(pick());
  return [...set];
}
/** What does not differ between messages is made once: the generator shares the cores with the server. */
const addresses = Array.from({ length: o.users }, (_, n) => userOf(o.user, o.offset + n, o.domains));
const rcptLines = addresses.map((address) => `RCPT TO:<${address}>\r\n`);
const rcptLine = (n) => rcptLines[n];
const HEADER_MAX = 2048;
let second = 0;
let date = '';
function dateNow() {
  const s = Math.floor(Date.now() / 1000);
  if (s !== second) {
    second = s;
    date = new Date(s * 1000).toUTCString().replace('GMT', '+0000');
  }
  return date;
}
/** Message number i into these bytes, with the dot; gives its length. */
function message(bytes, i, n) {
  const head =
    `From: <${o.from}>\r\nTo: <${addresses[n]}>\r\nSubject: load ${runId} ${i}\r\nDate: ${dateNow()}\r\n` +
    `Message-ID: <${runId}.${i}@load.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n`;
  const at = bytes.latin1Write(head, 0);
  const end = at + slice(Math.max(10, o.size - at - 2)).copy(bytes, at);
  return end + bytes.latin1Write('\r\n.\r\n', end);
}
const expected = new Map();
const lat = [];
const errors = new Map();
let started = 0;
let accepted = 0;
let deliveries = 0;
let rcptOk = 0;
let connects = 0;
let isOver = false;
const err = (what) => errors.set(what, (errors.get(what) ?? 0) + 1);

function client() {
  return new Promise((finished) => {
    let conn;
    let replies = [];
    /** How many replies are waited for. */
    let wanted = 0;
    let wake = null;
    let gone = null;
    let pipe = false;
    // The server has it whole before it answers, so the next message may lie in the same bytes.
    const bytes = Buffer.allocUnsafe(o.size + HEADER_MAX);
    const goOn = () => {
      const w = wake;
      wake = null;
      w?.();
    };
    const open = () => {
      replies = [];
      gone = null;
      let ehlo = false;
      connects++;
      conn = lineConnection(
        { host: o.host, port: o.port },
        (l) => {
          if (l[3] === '-') {
            if (l.startsWith('250') && l.includes('PIPELINING')) ehlo = true;
            return 0;
          }
          if (!pipe) {
            if (l.startsWith('250') && l.includes('PIPELINING')) ehlo = true;
            pipe = ehlo && !o['no-pipeline'];
          }
          if (replies.push(l) >= wanted) goOn();
          return 0;
        },
        (e) => {
          gone = e;
          goOn();
        },
      );
    };
    /** Until so many replies are there, or no more come. */
    const replied = (count) => {
      if (replies.length >= count || gone) return undefined;
      wanted = count;
      return new Promise((r) => {
        wake = r;
      });
    };
    const take = (want) => {
      const l = replies.shift();
      if (l === undefined) throw gone;
      if (!l.startsWith(want)) throw new Error(l.slice(0, 80));
    };
    const reply = async (want) => {
      await replied(1);
      take(want);
    };
    const hello = async () => {
      open();
      await reply('220');
      conn.sock.write(`EHLO ${o.helo}\r\n`);
      await reply('250');
      if (o.auth) {
        const [u, p] = o.auth.split(':');
        conn.sock.write(`AUTH PLAIN ${Buffer.from(`\0${u}\0${p}`).toString('base64')}\r\n`);
        await reply('235');
      }
    };
    const quit = async () => {
      conn.sock.write('QUIT\r\n');
      try {
        await reply('221');
      } catch {
        /* closing anyway */
      }
      conn.ended = true;
      conn.sock.destroy();
    };
    (async () => {
      let used = -1;
      while (started < N && !isOver) {
        const i = started;
        started += o['rcpt-only'] ? RCPTS : 1;
        try {
          const t0 = now();
          if (used < 0 || (o['per-conn'] && used >= o['per-conn'])) {
            if (used >= 0) await quit();
            await hello();
            used = 0;
          }
          used++;
          const to = recipients();
          const rcpts = to.map(rcptLine);
          const last = o['rcpt-only'] ? 'RSET\r\n' : 'DATA\r\n';
          if (pipe) {
            conn.sock.write(`MAIL FROM:<${o.from}>\r\n${rcpts.join('')}${last}`);
            await replied(to.length + 2);
            take('250');
            for (const _ of to) {
              take('25');
              rcptOk++;
            }
          } else {
            conn.sock.write(`MAIL FROM:<${o.from}>\r\n`);
            await reply('250');
            for (const r of rcpts) {
              conn.sock.write(r);
              await reply('25');
              rcptOk++;
            }
            conn.sock.write(last);
          }
          if (o['rcpt-only']) {
            await reply('250');
            lat.push(now() - t0);
            accepted++;
            continue;
          }
          await reply('354');
          conn.sock.write(bytes.subarray(0, message(bytes, i, to[0])));
          await reply('250');
          lat.push(now() - t0);
          accepted++;
          deliveries += to.length;
          for (const n of to) expected.set(n, (expected.get(n) ?? 0) + 1);
        } catch (e) {
          err(e.message);
          if (used >= 0) {
            conn.ended = true;
            conn.sock.destroy();
            used = -1;
          }
          await sleep(20);
          if (errors.size > 20) break;
        }
      }
      if (used >= 0) await quit();
      finished();
    })();
  });
}

// mailbox counters, one connection a user, opened before the run
const boxes = [];
const waiting = o['wait-imap'];
if (waiting) {
  const [h, p] = waiting.split(':');
  for (let n = 0; n < o.users; n++) {
    const c = new Imap({ host: h, port: Number(p) });
    await c.login(userOf(o.user, o.offset + n, o.domains), o.password);
    await c.send('STATUS INBOX (MESSAGES)');
    boxes.push({ c, base: c.status });
  }
}
const hasEnded = (pid) => {
  try {
    const t = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    return t[t.lastIndexOf(')') + 2] === 'Z';
  } catch {
    return true;
  }
};
/** relay-sink.mjs: takes so many messages and then says what it has seen. */
const sink = o.sink ? await startSink() : null;
async function startSink() {
  const program = join(import.meta.dirname, 'relay-sink.mjs');
  const child = spawn(process.execPath, [program, '--port', String(o.sink), '--count', String(N)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill());
  let text = '';
  let ready;
  const isReady = new Promise((resolve) => (ready = resolve));
  child.stdout.setEncoding('utf8').on('data', (more) => {
    text += more;
    if (text.includes('ready')) ready();
  });
  const ended = new Promise((resolve) => child.once('close', () => resolve(text.trim().split('\n').at(-1))));
  await isReady;
  return { ended };
}
if (o.seconds) setTimeout(() => (isOver = true), o.seconds * 1000).unref();
if (o['while-pid']) setInterval(() => (isOver ||= hasEnded(o['while-pid'])), 10).unref();
const used = accounting(o.tree);
const t0 = now();
await Promise.all(Array.from({ length: o.conns }, client));
const tAccepted = now();
let incomplete = 0;
let sinkSaw;
let tDone = tAccepted;
if (waiting) {
  const deadline = now() + o.timeout * 1000;
  for (let n = 0; n < boxes.length; n++) {
    const { c, base } = boxes[n];
    const want = base + (expected.get(n) ?? 0);
    for (;;) {
      await c.send('STATUS INBOX (MESSAGES)');
      if (c.status >= want) {
        if (c.status > want) err('more messages in a mailbox than sent');
        break;
      }
      if (now() > deadline) {
        incomplete += want - c.status;
        break;
      }
      await sleep(25);
    }
  }
  tDone = now();
} else if (sink) {
  const last = await Promise.race([sink.ended, sleep(o.timeout * 1000)]);
  tDone = now();
  sinkSaw = last ? JSON.parse(last) : { messages: 0 };
  incomplete = Math.max(0, accepted - sinkSaw.messages);
  if (sinkSaw.messages > accepted) err('more messages in the sink than sent');
} else if (o['wait-quiet']) {
  const deadline = now() + o.timeout * 1000;
  for (let before = cpuSeconds(o.tree), quiet = 0; quiet < 3 && now() < deadline; ) {
    await sleep(500);
    const after = cpuSeconds(o.tree);
    quiet = after - before <= 0.03 ? quiet + 1 : 0;
    before = after;
  }
  tDone = now();
} else if (o['wait-pid']) {
  const deadline = now() + o.timeout * 1000;
  for (;;) {
    if (hasEnded(o['wait-pid'])) break;
    if (now() > deadline) {
      incomplete = 1;
      break;
    }
    await sleep(10);
  }
  tDone = now();
}
const nErr = [...errors.values()].reduce((a, b) => a + b, 0);
const secs = (tAccepted - t0) / 1000;
const total = (tDone - t0) / 1000;
const out = o['rcpt-only']
  ? {
      kind: 'smtp-rcpt',
      rcpt_s: round(rcptOk / secs),
      seconds: round(secs),
      rcpts_ok: rcptOk,
      per_transaction: RCPTS,
      ...percentiles(lat),
      ...used(rcptOk),
    }
  : {
      kind: 'smtp',
      msgs: accepted,
      size: o.size,
      rcpts: o.rcpts,
      conns: o.conns,
      accept_s: round(accepted / secs),
      msgs_s: round(accepted / total),
      deliveries_s: round(deliveries / total),
      seconds: round(total),
      drain_s: round(total - secs),
      mb_s: round((accepted * o.size) / total / 1e6),
      connects,
      ...percentiles(lat),
      ...(sinkSaw && { sink_signed: sinkSaw.signed, sink_conns: sinkSaw.connections, sink_most: sinkSaw.most }),
      ...used(deliveries || 1),
    };
report({ ...out, errors: nErr, incomplete, ...(nErr ? { why: Object.fromEntries(errors) } : {}) });
