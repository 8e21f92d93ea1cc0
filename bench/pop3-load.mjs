#!/usr/bin/env node
// POP3 load: login, STAT, RETR of everything, QUIT. Prints one JSON line, last; options: docs/benchmarks.md.
import { accounting, args, lineConnection, now, percentiles, report, round, userOf } from './lib.mjs';

const o = args({
  host: '127.0.0.1',
  port: 2110,
  conns: 1,
  count: 1, // count: whole sessions over all connections
  user: 'u{n}@d{d}.example',
  users: 1,
  offset: 0,
  domains: 10,
  password: 'secret',
  depth: 1, // RETRs in flight (pipelining)
  dele: false,
  'no-retr': false,
  tree: '',
});
const lat = [];
const errors = new Map();
let msgs = 0;
let bytes = 0;
let started = 0;
const err = (e) => errors.set(e.message, (errors.get(e.message) ?? 0) + 1);

function session(n) {
  return new Promise((resolve, reject) => {
    let single = null;
    let multi = null; // who waits for a one-line reply; who for the end of a message
    const q = [];
    let inBody = false;
    const conn = lineConnection(
      { host: o.host, port: o.port },
      (l) => {
        if (inBody) {
          if (l === '.') {
            inBody = false;
            multi();
          }
          return 0;
        }
        if (!l.startsWith('+OK')) {
          reject(new Error(l.slice(0, 80)));
          conn.ended = true;
          conn.sock.destroy();
          return 0;
        }
        if (q.shift() === 'm') inBody = true;
        else single(l);
        return 0;
      },
      reject,
    );
    const one = (text) =>
      new Promise((r) => {
        single = r;
        q.push('s');
        if (text) conn.sock.write(`${text}\r\n`);
      });
    (async () => {
      await one('');
      await one(`USER ${userOf(o.user, o.offset + n, o.domains)}`);
      await one(`PASS ${o.password}`);
      const total = Number((await one('STAT')).split(' ')[1]);
      if (!o['no-retr'] && total) {
        await new Promise((fin) => {
          let sent = 0;
          let got = 0;
          const more = () => {
            while (sent < total && sent - got < o.depth) {
              q.push('m');
              conn.sock.write(`RETR ${++sent}\r\n`);
            }
          };
          multi = () => {
            got++;
            if (got === total) fin();
            else more();
          };
          more();
        });
        msgs += total;
        if (o.dele) for (let i = 1; i <= total; i++) await one(`DELE ${i}`);
      }
      await one('QUIT');
      bytes += conn.bytes;
      conn.ended = true;
      conn.sock.destroy();
      resolve();
    })();
  });
}
const used = accounting(o.tree);
const t0 = now();
await Promise.all(
  Array.from({ length: o.conns }, async () => {
    while (started < o.count) {
      const i = started++;
      const t = now();
      try {
        await session(i % o.users);
        lat.push(now() - t);
      } catch (e) {
        err(e);
      }
    }
  }),
);
const secs = (now() - t0) / 1000;
report({
  kind: 'pop3',
  sessions: lat.length,
  sessions_s: round(lat.length / secs),
  msgs,
  msgs_s: round(msgs / secs),
  mb_s: round(bytes / secs / 1e6),
  seconds: round(secs),
  depth: o.depth,
  ...percentiles(lat),
  ...used(msgs || lat.length),
  errors: [...errors.values()].reduce((a, b) => a + b, 0),
  ...(errors.size ? { why: Object.fromEntries(errors) } : {}),
});
