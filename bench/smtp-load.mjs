#!/usr/bin/env node
// SMTP load. Prints one JSON line, last; options: docs/benchmarks.md. A reply other than the expected one is an error.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import {
  accounting,
  args,
  bodySlicer,
  cpuSeconds,
  Imap,
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
const mailLine = `MAIL FROM:<${o.from}>\r\n`;
const lastLine = o['rcpt-only'] ? 'RSET\r\n' : 'DATA\r\n';
/** A transaction up to its last command in one piece, of each recipient alone. */
const transactions = RCPTS === 1 ? rcptLines.map((rcpt) => Buffer.from(mailLine + rcpt + lastLine, 'latin1')) : [];
const transaction = (to) =>
  to.length === 1 && RCPTS === 1 ? transactions[to[0]] : mailLine + to.map((n) => rcptLines[n]).join('') + lastLine;
const AUTH = o.auth && Buffer.from(`\0${o.auth.replace(':', '\0')}`).toString('base64');
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

/** Replies are looked at where they were read, and every connection reads into the same bytes: nothing is kept of a reply. */
const INPUT = Buffer.allocUnsafe(65_536);
const CAPABILITY = Buffer.from('PIPELINING');
const LF = 10;
const DASH = 45;
const ZERO = 48;
/** Replies that are waited for: three digits, or the first two. */
const READY = 220;
const OK = 250;
const OK_RCPT = 25;
const GO_ON = 354;
const LOGGED_IN = 235;
const CLOSING = 221;

/**
 * A client says something and knows which replies are to come; the last of them calls what is to be done then. Another reply,
 * or none, and the connection is opened anew for the next message. No promise a reply: the generator shares the cores with the server.
 */
class Client {
  /** Resolves when all has been sent. */
  ended;
  #end;
  #sock = null;
  #isPiped = false;
  #isGreeted = false;
  /** A reply whose end has not come: its bytes. */
  #rest = null;
  /** Replies that are waited for, and how many of them have come. */
  #wanted = [];
  #come = 0;
  #then = null;
  #used = -1;
  #i = 0;
  #to = [];
  #began = 0;
  // The server has it whole before it answers, so the next message may lie in the same bytes.
  #bytes = Buffer.allocUnsafe(o.size + HEADER_MAX);

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#next();
  }

  /** Sends this, and goes on when such replies have come. */
  #say(text, wanted, then) {
    this.#wanted = wanted;
    this.#come = 0;
    this.#then = then;
    if (typeof text === 'string') this.#sock.write(text, 'latin1');
    else if (text !== null) this.#sock.write(text);
  }

  #open(then) {
    connects++;
    this.#isPiped = false;
    this.#rest = null;
    const sock = net.connect({
      host: o.host,
      port: o.port,
      noDelay: true,
      onread: {
        buffer: INPUT,
        callback: (length) => {
          if (sock === this.#sock) this.#read(length);
          return true;
        },
      },
    });
    this.#sock = sock;
    sock.on('error', (error) => this.#gone(sock, error));
    sock.on('close', () => this.#gone(sock, new Error('connection closed')));
    this.#isGreeted = false;
    const hello = () => {
      this.#isGreeted = true;
      this.#say(`EHLO ${o.helo}\r\n`, [OK], o.auth ? login : then);
    };
    const login = () => this.#say(`AUTH PLAIN ${AUTH}\r\n`, [LOGGED_IN], then);
    this.#say(null, [READY], hello);
  }

  #read(length) {
    let bytes = INPUT;
    let end = length;
    if (this.#rest !== null) {
      bytes = Buffer.concat([this.#rest, INPUT.subarray(0, length)]);
      end = bytes.length;
      this.#rest = null;
    }
    let at = 0;
    while (at < end) {
      let lf = at;
      while (lf < end && bytes[lf] !== LF) lf++;
      if (lf === end) {
        this.#rest = Buffer.from(bytes.subarray(at, end));
        return;
      }
      if (this.#isGreeted && !this.#isPiped && !o['no-pipeline'])
        this.#isPiped = bytes.subarray(at, lf).includes(CAPABILITY);
      const isLast = bytes[at + 3] !== DASH;
      if (isLast && !this.#isWanted(bytes, at)) {
        this.#failed(new Error(bytes.latin1Slice(at, Math.min(lf - 1, at + 80))));
        return;
      }
      at = lf + 1;
      if (isLast && ++this.#come === this.#wanted.length) {
        const sock = this.#sock;
        this.#then();
        if (sock !== this.#sock) return;
      }
    }
  }

  #isWanted(bytes, at) {
    const want = this.#wanted[this.#come];
    if (want === undefined) return false;
    const two = (bytes[at] - ZERO) * 10 + bytes[at + 1] - ZERO;
    return want < 100 ? two === want : two * 10 + bytes[at + 2] - ZERO === want;
  }

  #next() {
    if (started >= N || isOver || errors.size > 20) {
      if (this.#used < 0) this.#end();
      else this.#quit(() => this.#end());
      return;
    }
    this.#i = started;
    started += o['rcpt-only'] ? RCPTS : 1;
    this.#began = now();
    if (this.#used < 0) this.#open(this.#begin);
    else if (o['per-conn'] && this.#used >= o['per-conn']) this.#quit(() => this.#open(this.#begin));
    else this.#begin();
  }

  #begin = () => {
    this.#used = Math.max(this.#used, 0) + 1;
    this.#to = recipients();
    if (this.#isPiped)
      this.#say(transaction(this.#to), RCPTS === this.#to.length ? PIPED : piped(this.#to.length), this.#data);
    else this.#say(mailLine, [OK], () => this.#rcpt(0));
  };

  /** One command after another, for a server that takes no more. */
  #rcpt(index) {
    if (index === this.#to.length) this.#say(lastLine, [o['rcpt-only'] ? OK : GO_ON], this.#data);
    else this.#say(rcptLines[this.#to[index]], [OK_RCPT], () => this.#rcpt(index + 1));
  }

  #data = () => {
    rcptOk += this.#to.length;
    if (o['rcpt-only']) this.#taken();
    else this.#say(this.#bytes.subarray(0, message(this.#bytes, this.#i, this.#to[0])), TAKEN, this.#taken);
  };

  #taken = () => {
    lat.push(now() - this.#began);
    accepted++;
    if (!o['rcpt-only']) {
      deliveries += this.#to.length;
      for (const n of this.#to) expected.set(n, (expected.get(n) ?? 0) + 1);
    }
    this.#next();
  };

  #quit(then) {
    this.#used = -1;
    const over = () => {
      this.#close();
      then();
    };
    this.#say('QUIT\r\n', [CLOSING], over);
  }

  #close() {
    const sock = this.#sock;
    this.#sock = null;
    sock?.destroy();
  }

  #gone(sock, error) {
    if (sock === this.#sock) this.#failed(error);
  }

  #failed(error) {
    const isQuitting = this.#wanted[0] === CLOSING;
    this.#close();
    if (isQuitting) {
      this.#then();
      return;
    }
    err(error.message);
    this.#used = -1;
    setTimeout(() => this.#next(), 20);
  }
}
const TAKEN = [OK];
const piped = (rcpts) => [OK, ...Array.from({ length: rcpts }, () => OK_RCPT), o['rcpt-only'] ? OK : GO_ON];
const PIPED = piped(RCPTS);

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
await Promise.all(Array.from({ length: o.conns }, () => new Client().ended));
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
