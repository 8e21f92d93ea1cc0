#!/usr/bin/env node
// LDAP load over raw BER: modes search, bind, add, modify. Prints one JSON line, last; options: docs/benchmarks.md.
import net from 'node:net';
import { accounting, args, now, percentiles, report, round, userOf } from './lib.mjs';

const o = args({
  mode: 'search',
  host: '127.0.0.1',
  port: 2389,
  conns: 4,
  count: 20000,
  depth: 1, // depth: requests in flight a connection
  base: 'dc=example',
  attr: 'mail',
  value: 'u{n}@d{d}.example',
  want: 'mail', // search: (attr=value), scope sub
  users: 1000,
  domains: 10,
  binddn: '',
  bindpw: '', // add and bind: cn=admin,dc=example
  dn: 'uid=u{n},ou=people,dc=d{d},dc=example',
  offset: 0,
  password: 'secret',
  attributes: '', // add: the entry's attributes as JSON, {n} and {d} in the values; '' for slapd's users
  change: 'replace', // modify: add or replace these attributes, of one user after another in an order that jumps;
  values: 1, // modify: so many values an operation, those of users n * values and following
  rate: 0, // modify: operations a second; 0: as fast as they are answered
  tree: '',
});
const len = (n) =>
  n < 128
    ? Buffer.from([n])
    : n < 256
      ? Buffer.from([0x81, n])
      : n < 65536
        ? Buffer.from([0x82, n >> 8, n & 255])
        : Buffer.from([0x83, n >> 16, (n >> 8) & 255, n & 255]);
const tlv = (tag, ...parts) => {
  const b = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), len(b.length), b]);
};
const str = (s, tag = 4) => tlv(tag, Buffer.from(s));
const int = (n, tag = 2) =>
  tlv(
    tag,
    n < 128
      ? Buffer.from([n])
      : n < 32768
        ? Buffer.from([n >> 8, n & 255])
        : Buffer.from([n >> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]),
  );
const msg = (id, op) => tlv(0x30, int(id), op);
const bindReq = (dn, pw) => tlv(0x60, int(3), str(dn), str(pw, 0x80));
const searchReq = (v) =>
  tlv(
    0x63,
    str(o.base),
    int(2, 10),
    int(0, 10),
    int(0),
    int(0),
    tlv(1, Buffer.from([0])),
    tlv(0xa3, str(o.attr), str(v)),
    tlv(0x30, str(o.want)),
  );
const attr = (t, ...vals) => tlv(0x30, str(t), tlv(0x31, ...vals.map((v) => str(v))));
const USER = JSON.stringify({
  objectClass: ['inetOrgPerson', 'inetLocalMailRecipient'],
  uid: 'u{n}',
  cn: 'User {n}',
  sn: 'Number{n}',
  mail: o.value,
  mailLocalAddress: [o.value, `user.${o.value}`],
  mailHost: 'store0.example',
  userPassword: o.password,
});
const attributes = Object.entries(JSON.parse(o.attributes || USER));
const addReq = (n) =>
  tlv(
    0x68,
    str(userOf(o.dn, n, o.domains)),
    tlv(
      0x30,
      ...attributes.map(([type, values]) => attr(type, ...[values].flat().map((v) => userOf(v, n, o.domains)))),
    ),
  );
let seed = 99991;
const rnd = (n) => {
  seed ^= seed << 13;
  seed >>>= 0;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  seed >>>= 0;
  return seed % n;
};
// {r} in a value is another text in every run: what is changed is never what was there.
const runId = Date.now().toString(36) + process.pid.toString(36);
const CHANGES = { add: 0, replace: 2 };
const modifyReq = (n) =>
  tlv(
    0x66,
    str(userOf(o.dn, n, o.domains)),
    tlv(
      0x30,
      ...attributes.map(([type, values]) =>
        tlv(
          0x30,
          int(CHANGES[o.change], 10),
          attr(
            type,
            ...[values]
              .flat()
              .flatMap((v) =>
                Array.from({ length: o.values }, (_, k) =>
                  userOf(v.replaceAll('{r}', runId), n * o.values + k, o.domains),
                ),
              ),
          ),
        ),
      ),
    ),
  );
const lat = [];
const errors = new Map();
let started = 0;
let ok = 0;
let entries = 0;
const err = (m) => errors.set(m, (errors.get(m) ?? 0) + 1);

function connection() {
  return new Promise((ready, fin0) => {
    const sock = net.connect({ host: o.host, port: o.port, noDelay: true });
    let buf = Buffer.alloc(0);
    let id = 0;
    let open = 0;
    const t = new Map();
    let finish;
    let timer;
    let bound = !o.binddn;
    const next = () => {
      const out = [];
      while (started < o.count && open < o.depth) {
        const early = o.rate ? t0 + (started * 1000) / o.rate - now() : 0;
        if (early > 0) {
          timer ??= setTimeout(() => {
            timer = undefined;
            next();
          }, early);
          break;
        }
        const i = started++;
        const k = ++id;
        open++;
        t.set(k, now());
        // 7919 is a prime: no user comes twice before each has come once.
        const n = o.offset + (o.mode === 'add' ? i : o.mode === 'modify' ? (i * 7919) % o.users : rnd(o.users));
        const op =
          o.mode === 'search'
            ? searchReq(userOf(o.value, n, o.domains))
            : o.mode === 'bind'
              ? bindReq(userOf(o.dn, n, o.domains), o.password)
              : o.mode === 'modify'
                ? modifyReq(n)
                : addReq(n);
        out.push(msg(k, op));
      }
      if (out.length) sock.write(out.length === 1 ? out[0] : Buffer.concat(out));
      if (!open && timer === undefined) {
        sock.end(msg(++id, Buffer.from([0x42, 0])));
        finish();
      }
    };
    sock.on('data', (d) => {
      buf = buf.length ? Buffer.concat([buf, d]) : d;
      const before = open;
      take();
      // What became free leaves in one piece, as its answers came.
      if (open < before) next();
    });
    const take = () => {
      for (;;) {
        if (buf.length < 6) return;
        let p = 2;
        let l = buf[1];
        if (l & 0x80) {
          const k = l & 0x7f;
          l = 0;
          for (let i = 0; i < k; i++) l = l * 256 + buf[2 + i];
          p = 2 + k;
        }
        if (buf.length < p + l) return;
        const il = buf[p + 1];
        let mid = 0;
        for (let i = 0; i < il; i++) mid = mid * 256 + buf[p + 2 + i];
        let q = p + 2 + il;
        const op = buf[q];
        if (op === 0x64) entries++;
        else if (op !== 0x73) {
          // SearchResultDone, BindResponse, AddResponse, ModifyResponse carry a result code first
          q++;
          q += buf[q] & 0x80 ? 1 + (buf[q] & 0x7f) : 1;
          const code = buf[q + 2];
          if (!bound) {
            bound = true;
            if (code) return fin0(new Error(`bind: result ${code}`));
            ready({
              run: () =>
                new Promise((r) => {
                  finish = r;
                  next();
                }),
            });
          } else {
            if (code) err(`result ${code}`);
            else ok++;
            lat.push(now() - t.get(mid));
            t.delete(mid);
            open--;
          }
        }
        buf = buf.subarray(p + l);
      }
    };
    sock.on('error', (e) => {
      err(e.message);
      fin0(e);
      finish?.();
    });
    sock.on('connect', () => {
      if (o.binddn) sock.write(msg(++id, bindReq(o.binddn, o.bindpw || o.password)));
      else
        ready({
          run: () =>
            new Promise((r) => {
              finish = r;
              next();
            }),
        });
    });
  });
}
const conns = [];
for (let i = 0; i < o.conns; i++) conns.push(await connection());
const used = accounting(o.tree);
const t0 = now();
await Promise.all(conns.map((c) => c.run()));
const secs = (now() - t0) / 1000;
if (o.mode === 'search' && entries !== ok) err(`${entries} entries for ${ok} searches`);
report({
  kind: `ldap-${o.mode}`,
  ops_s: round(ok / secs),
  ok,
  entries,
  seconds: round(secs),
  conns: o.conns,
  depth: o.depth,
  ...percentiles(lat),
  ...used(ok || 1),
  errors: [...errors.values()].reduce((a, b) => a + b, 0),
  ...(errors.size ? { why: Object.fromEntries(errors) } : {}),
});
