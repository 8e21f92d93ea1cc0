// Shared by the load generators: arguments, percentiles, reports, a line reader, process accounting.
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

/** `--name value` pairs over defaults; a default's type decides how the value is read (boolean: a bare flag). */
export function args(defaults) {
  const out = { ...defaults };
  const argv = process.argv.slice(2);
  for (let i = 0; i < argv.length; i++) {
    const name = argv[i].replace(/^--/, '');
    if (!argv[i].startsWith('--') || !(name in defaults)) {
      console.error(`unknown option ${argv[i]}; options and defaults:\n${JSON.stringify(defaults, null, 1)}`);
      process.exit(2);
    }
    if (typeof defaults[name] === 'boolean') out[name] = true;
    else out[name] = typeof defaults[name] === 'number' ? Number(argv[++i]) : argv[++i];
  }
  return out;
}

/** Address of user n: `{n}` is its number, `{d}` its domain number. */
export const userOf = (pattern, n, domains) => pattern.replaceAll('{n}', n).replaceAll('{d}', n % domains);

export const now = () => performance.now();
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

/** p50/p95/p99/max of a list of milliseconds, rounded to 0.01. */
export function percentiles(ms) {
  const s = Float64Array.from(ms).sort();
  const at = (q) => (s.length ? Math.round(s[Math.min(s.length - 1, Math.ceil(q * s.length) - 1)] * 100) / 100 : 0);
  return { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1) };
}

export const round = (x) =>
  Math.abs(x) >= 100 ? Math.round(x) : Math.abs(x) >= 1 ? Math.round(x * 100) / 100 : Math.round(x * 1e4) / 1e4;

/** The report: one JSON line, always the last line printed. A failed run exits 1. */
export function report(o) {
  const bad = o.errors || o.incomplete;
  console.log(JSON.stringify(o));
  process.exit(bad ? 1 : 0);
}

// ---- process accounting: what the server costs while we load it (Linux /proc) -----------------

function tree(pids) {
  const kids = new Map();
  for (const d of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(d)) continue;
    try {
      const stat = fs.readFileSync(`/proc/${d}/stat`, 'latin1');
      const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const p = Number(f[1]);
      if (!kids.has(p)) kids.set(p, []);
      kids.get(p).push({ pid: Number(d), stat: f });
      if (pids.includes(Number(d))) kids.set(`self${d}`, { pid: Number(d), stat: f });
    } catch {
      /* it ended meanwhile */
    }
  }
  const out = [];
  const walk = (e) => {
    out.push(e);
    for (const k of kids.get(e.pid) ?? []) walk(k);
  };
  for (const p of pids) if (kids.has(`self${p}`)) walk(kids.get(`self${p}`));
  return out;
}
const pidList = (s) => String(s).split(',').filter(Boolean).map(Number);

/** CPU seconds used so far by the process trees under these pids, ended children included. */
export function cpuSeconds(pids) {
  let ticks = 0;
  for (const { stat } of tree(pidList(pids)))
    ticks += Number(stat[11]) + Number(stat[12]) + Number(stat[13]) + Number(stat[14]);
  return ticks / 100;
}

/** Proportional set size in KiB of the process trees under these pids. */
export function pssKiB(pids) {
  let kb = 0;
  for (const { pid } of tree(pidList(pids))) {
    try {
      kb += Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
    } catch {
      /* ended */
    }
  }
  return kb;
}
export const processCount = (pids) => tree(pidList(pids)).length;

/**
 * Figures for the server's CPU next to our own: `stop()` takes the reading (do it before closing connections: a server
 * process that ends meanwhile can be missed), the returned function then gives the figures for so many units.
 */
export function accounting(pids) {
  const c0 = pids ? cpuSeconds(pids) : 0;
  const g0 = process.cpuUsage();
  let s;
  let own;
  const read = (units) => {
    if (!own) read.stop();
    return pids ? { server_cpu_s: round(s), server_cpu_ms_each: round((s * 1000) / units), ...own } : own;
  };
  read.stop = () => {
    const g = process.cpuUsage(g0);
    own = { gen_cpu_s: round((g.user + g.system) / 1e6) };
    s = pids ? cpuSeconds(pids) - c0 : 0;
  };
  return read;
}

// ---- a connection read as lines, with literals and bulk skipped unread ------------------------

/**
 * Opens a TCP connection. `onLine(line)` gets each line without its CRLF as a latin1 string; when it returns a
 * number k > 0, the next k bytes are skipped without being looked at (an IMAP literal). `secure`: TLS from the first byte,
 * a full handshake each time; whose certificate it is does not matter here.
 */
export function lineConnection({ host, port, secure = false }, onLine, onEnd) {
  const options = { host, port, noDelay: true };
  const sock = secure ? tls.connect({ ...options, rejectUnauthorized: false }) : net.connect(options);
  let rest = null;
  let skip = 0;
  const c = { sock, bytes: 0, ended: false };
  sock.on('data', (chunk) => {
    c.bytes += chunk.length;
    let at = 0;
    for (;;) {
      if (skip > 0) {
        const k = Math.min(skip, chunk.length - at);
        at += k;
        skip -= k;
        if (skip > 0) return;
      }
      const nl = chunk.indexOf(10, at);
      if (nl < 0) {
        if (at < chunk.length)
          rest = rest ? Buffer.concat([rest, chunk.subarray(at)]) : Buffer.from(chunk.subarray(at));
        return;
      }
      let line = chunk.latin1Slice(at, nl);
      if (rest) {
        line = rest.latin1Slice() + line;
        rest = null;
      }
      if (line.endsWith('\r')) line = line.slice(0, -1);
      at = nl + 1;
      skip = onLine(line) || 0;
    }
  });
  const end = (e) => {
    if (!c.ended) {
      c.ended = true;
      onEnd(e);
    }
  };
  sock.on('error', end);
  sock.on('close', () => end(new Error('connection closed')));
  return c;
}

/** A minimal IMAP client: cmd() resolves to the tagged line; `exists`, `untagged` count what came by. */
export class Imap {
  constructor(server) {
    this.untagged = 0;
    this.exists = 0;
    this.status = null;
    this.literalBytes = 0;
    this.n = 0;
    this.caps = '';
    this.wait = new Map();
    this.plus = null;
    this.greet = null;
    this.onUntagged = null;
    this.searchHits = 0;
    this.prefix = `t${Math.random().toString(36).slice(2, 8)}x`;
    this.ready = new Promise((res, rej) => {
      this.greet = { res, rej };
    });
    this.conn = lineConnection(
      server,
      (l) => this.line(l),
      (e) => this.fail(e),
    );
  }
  line(l) {
    const first = l.charCodeAt(0);
    if (l.endsWith('}')) {
      const open = l.lastIndexOf('{');
      const k = Number(l.slice(open + 1, -1));
      if (first === 42) this.untagged++;
      this.literalBytes += k;
      return k;
    }
    if (this.greet) {
      this.greet.res(l);
      this.greet = null;
      return 0;
    }
    if (first === 42) {
      this.untagged++;
      if (l.endsWith(' EXISTS')) this.exists = Number(l.slice(2, -7));
      else if (l.startsWith('* STATUS')) this.status = Number(/MESSAGES (\d+)/.exec(l)?.[1]);
      else if (l.startsWith('* SEARCH')) this.searchHits = l.length > 9 ? l.trim().split(' ').length - 2 : 0;
      else if (l.startsWith('* CAPABILITY')) this.caps = l;
    } else if (first === 43) {
      const p = this.plus;
      this.plus = null;
      p?.(l);
    } else {
      const sp = l.indexOf(' ');
      const w = this.wait.get(l.slice(0, sp));
      if (w) {
        this.wait.delete(l.slice(0, sp));
        if (l.startsWith('OK', sp + 1)) w.res(l);
        else w.rej(new Error(l));
      }
    }
    return 0;
  }
  fail(e) {
    this.greet?.rej(e);
    this.greet = null;
    for (const w of this.wait.values()) w.rej(e);
    this.wait.clear();
  }
  send(text) {
    // returns {tag, done}
    const tag = this.prefix + ++this.n;
    const done = new Promise((res, rej) => this.wait.set(tag, { res, rej }));
    this.conn.sock.write(`${tag} ${text}\r\n`, 'latin1');
    return done;
  }
  continuation() {
    return new Promise((res) => {
      this.plus = res;
    });
  }
  async login(user, password) {
    await this.ready;
    const l = await this.send(`LOGIN ${user} ${password}`);
    if (/\[CAPABILITY /.test(l)) this.caps = l;
    return l;
  }
  close() {
    this.conn.ended = true;
    this.conn.sock.destroy();
  }
}

// ---- message text: words, so that TEXT searches and compression meet something like mail --------

/** A pool of CRLF lines of made-up words; the same seed gives the same text. */
export function textPool(bytes, seed = 1) {
  let s = seed >>> 0 || 1;
  const rnd = (n) => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s % n;
  };
  const syl = [
    'ba',
    'co',
    'di',
    'fe',
    'gu',
    'ha',
    'jo',
    'ki',
    'le',
    'mu',
    'na',
    'po',
    'ri',
    'se',
    'tu',
    'va',
    'wo',
    'xi',
    'ye',
    'zo',
  ];
  const words = Array.from({ length: 4000 }, () => Array.from({ length: 1 + rnd(4) }, () => syl[rnd(20)]).join(''));
  const buf = Buffer.allocUnsafe(bytes);
  let at = 0;
  let col = 0;
  while (at < bytes) {
    const w = words[Math.min(rnd(4000), rnd(4000))];
    const sep = col + w.length > 70 ? '\r\n' : col ? ' ' : '';
    col = sep === '\r\n' ? w.length : col + w.length + sep.length;
    at += buf.write(sep + w, at, 'latin1');
  }
  return buf;
}

/** Slices of about `size` bytes from the pool, each starting at a line's start; no copy is made. */
export function bodySlicer(size) {
  const pool = textPool(size + (4 << 20));
  let at = 0;
  return (want) => {
    at = (at + 7919) % (pool.length - size - 200);
    const start = pool.indexOf(10, at) + 1;
    let end = start + want;
    if (pool[end - 1] === 13) end--;
    return pool.subarray(start, end);
  };
}
