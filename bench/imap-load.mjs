#!/usr/bin/env node
// IMAP load. Modes: login fetch store move append search idle told. Prints one JSON line, last; options: docs/benchmarks.md.
import {
  accounting,
  args,
  bodySlicer,
  Imap,
  now,
  percentiles,
  processCount,
  pssKiB,
  report,
  round,
  sleep,
  userOf,
} from './lib.mjs';

const o = args({
  mode: 'login',
  host: '127.0.0.1',
  port: 2143,
  tls: false,
  conns: 10,
  count: 100, // count: units of work over all connections
  user: 'u{n}@d{d}.example',
  users: 10,
  offset: 0,
  domains: 10,
  password: 'secret',
  mailbox: 'INBOX',
  items: '(FLAGS ENVELOPE)',
  each: false, // fetch: one FETCH 1:* a unit; --each: one message a command
  set: '', // store: this set in one command; otherwise one message a command
  list: false, // login: LIST of all mailboxes, too
  flags: 'FLAGS.SILENT (\\Flagged)', // store: set on the first pass over the mailbox, cleared on the next, and so on
  size: 10240,
  text: 'nosuchword',
  search: '',
  word: '', // append: a line of the body of each hundredth message; search: looked for
  metrics: '', // search: this page is looked at until no message is missing in an index
  hold: 3,
  settle: 2,
  'no-idle': false,
  tree: '',
});
const who = (k) => userOf(o.user, o.offset + (k % o.users), o.domains);
const lat = [];
const errors = new Map();
const err = (e) => errors.set(e.message, (errors.get(e.message) ?? 0) + 1);
let started = 0;

async function session(k, select = true) {
  const c = new Imap({ host: o.host, port: o.port, secure: o.tls });
  await c.login(who(k), o.password);
  if (select) await c.send(`SELECT ${o.mailbox}`);
  return c;
}
/** Runs `unit` over `conns` workers until `count` units are done. */
async function workers(unit, prepare) {
  const made = [];
  for (let k = 0; k < o.conns; k++) made.push(prepare ? await prepare(k) : null);
  const used = accounting(o.tree);
  const t0 = now();
  await Promise.all(
    made.map(async (c, k) => {
      while (started < o.count) {
        const i = started++;
        const t = now();
        try {
          await unit(c, k, i);
          lat.push(now() - t);
        } catch (e) {
          err(e);
          if (errors.size > 20 || /closed/.test(e.message)) return;
        }
      }
    }),
  );
  const secs = (now() - t0) / 1000;
  const acc = used;
  used.stop();
  for (const c of made) c?.close?.();
  return { secs, acc };
}
const done = (x, acc, units) =>
  report({
    kind: `imap-${o.mode}`,
    ...x,
    ...percentiles(lat),
    ...acc(units),
    errors: [...errors.values()].reduce((a, b) => a + b, 0),
    ...(errors.size ? { why: Object.fromEntries(errors) } : {}),
  });

if (o.mode === 'login') {
  const { secs, acc } = await workers(async (_c, _k, i) => {
    const c = await session(i, !o.list);
    if (o.list) {
      await c.send('LIST "" "*"');
      await c.send(`SELECT ${o.mailbox}`);
    }
    await c.send('LOGOUT');
    c.close();
  });
  done({ logins_s: round(lat.length / secs), seconds: round(secs), conns: o.conns }, acc, lat.length);
} else if (o.mode === 'fetch') {
  let msgs = 0;
  let bytes = 0;
  let lit = 0;
  const { secs, acc } = await workers(async (c, _k, i) => {
    const b0 = c.conn.bytes;
    const u0 = c.untagged;
    const l0 = c.literalBytes;
    await c.send(o.each ? `FETCH ${1 + (i % c.exists)} ${o.items}` : `FETCH 1:* ${o.items}`);
    if (!o.each && c.untagged - u0 < c.exists) throw new Error(`${c.untagged - u0} of ${c.exists} messages came`);
    msgs += o.each ? 1 : c.exists;
    bytes += c.conn.bytes - b0;
    lit += c.literalBytes - l0;
  }, session);
  done(
    {
      items: o.items,
      msgs,
      msgs_s: round(msgs / secs),
      mb_s: round(bytes / secs / 1e6),
      bytes_each: Math.round(bytes / msgs),
      literal_bytes: lit,
      seconds: round(secs),
    },
    acc,
    msgs,
  );
} else if (o.mode === 'store') {
  let msgs = 0;
  const { secs, acc } = await workers(
    async (c) => {
      const i = c.turn++;
      const sign = (o.set ? i : Math.floor(i / c.exists)) % 2 ? '-' : '+';
      if (o.set) {
        await c.send(`STORE ${o.set} ${sign}${o.flags}`);
        msgs += c.exists;
      } else {
        await c.send(`STORE ${1 + (i % c.exists)} ${sign}${o.flags}`);
        msgs++;
      }
    },
    async (k) => {
      // every message starts without the flag, so that each STORE changes something
      const c = await session(k);
      await c.send(`STORE 1:* -${o.flags}`);
      return Object.assign(c, { turn: 0 });
    },
  );
  done(
    { stores_s: round(lat.length / secs), msgs_s: round(msgs / secs), seconds: round(secs), conns: o.conns },
    acc,
    msgs,
  );
} else if (o.mode === 'move') {
  // One message a command, to and fro between two mailboxes.
  const { secs, acc } = await workers(
    async (c) => {
      if (c.exists === 0) {
        [c.here, c.there] = [c.there, c.here];
        await c.send(`SELECT ${c.here}`);
      }
      await c.send(`MOVE 1 ${c.there}`);
      c.exists--;
    },
    async (k) => {
      const c = await session(k, false);
      const there = `moved-${k}`;
      await c.send(`CREATE ${there}`).catch(() => {});
      await c.send(`SELECT ${o.mailbox}`);
      if (c.exists === 0) await c.send(`SELECT ${there}`);
      return Object.assign(c, { here: o.mailbox, there });
    },
  );
  done({ moves_s: round(lat.length / secs), seconds: round(secs), conns: o.conns }, acc, lat.length);
} else if (o.mode === 'append') {
  const slice = bodySlicer(o.size);
  const id = Date.now().toString(36) + process.pid;
  const { secs, acc } = await workers(
    async (c, k, i) => {
      const head = Buffer.from(
        `From: <sender@load.example>\r\nTo: <${who(k)}>\r\nSubject: append ${id} ${i}\r\nDate: ${new Date().toUTCString().replace('GMT', '+0000')}\r\nMessage-ID: <${id}.${i}@load.example>\r\n` +
          `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n${o.word !== '' && i % 100 === 0 ? `${o.word}\r\n` : ''}`,
        'latin1',
      );
      const body = slice(Math.max(10, o.size - head.length - 2));
      const size = head.length + body.length + 2;
      const plus = /LITERAL\+/.test(c.caps);
      const go = plus ? null : c.continuation();
      const fin = c.send(`APPEND ${o.mailbox} {${size}${plus ? '+' : ''}}`);
      fin.catch(() => {});
      if (go) await Promise.race([go, fin]);
      c.conn.sock.cork();
      c.conn.sock.write(head);
      c.conn.sock.write(body);
      c.conn.sock.write('\r\n\r\n');
      c.conn.sock.uncork();
      await fin;
    },
    (k) => session(k, false),
  );
  done({ appends_s: round(lat.length / secs), seconds: round(secs), conns: o.conns, size: o.size }, acc, lat.length);
} else if (o.mode === 'search') {
  let hits = 0;
  let exists = 0;
  const key = o.search || `TEXT ${o.word || o.text}`;
  if (o.metrics !== '') {
    // The first search is what an index begins with.
    const c = await session(0);
    await c.send(`SEARCH ${key}`);
    c.close();
    const accounts = /^waypost_index_accounts ([1-9])/m;
    const behind = /^waypost_index_behind_messages 0$/m;
    for (let text = ''; !accounts.test(text) || !behind.test(text); ) {
      await sleep(200);
      text = await (await fetch(o.metrics)).text();
    }
  }
  const { secs, acc } = await workers(async (c) => {
    await c.send(`SEARCH ${key}`);
    hits = c.searchHits;
    exists = c.exists;
  }, session);
  done(
    {
      search: key,
      hits,
      exists,
      ms_each: round((secs * 1000 * o.conns) / lat.length),
      msgs_s: round((exists * lat.length) / secs),
      seconds: round(secs),
    },
    acc,
    lat.length,
  );
} else if (o.mode === 'idle') {
  const before = o.tree ? pssKiB(o.tree) : 0;
  const procs0 = o.tree ? processCount(o.tree) : 0;
  const open = [];
  const t0 = now();
  const used = accounting(o.tree);
  for (let k = 0; k < o.conns; k += 20) {
    await Promise.all(
      Array.from({ length: Math.min(20, o.conns - k) }, async (_, j) => {
        const t = now();
        try {
          const c = await session(k + j);
          if (!o['no-idle']) {
            const go = c.continuation();
            c.send('IDLE').catch(() => {});
            await go;
          }
          open.push(c);
          lat.push(now() - t);
        } catch (e) {
          err(e);
        }
      }),
    );
  }
  const secs = (now() - t0) / 1000;
  const acc = used(o.conns);
  await sleep(o.settle * 1000);
  const during = o.tree ? pssKiB(o.tree) : 0;
  const procs1 = o.tree ? processCount(o.tree) : 0;
  await sleep(o.hold * 1000);
  const alive = open.filter((c) => !c.conn.ended).length;
  const x = { opened: open.length, alive, open_s: round(open.length / secs) };
  if (o.tree)
    Object.assign(x, {
      pss_before_kib: before,
      pss_idle_kib: during,
      kib_per_conn: round((during - before) / open.length),
      processes_before: procs0,
      processes_idle: procs1,
    });
  for (const c of open) c.close();
  done(x, () => acc, 1);
}

// Sessions in IDLE, of as many users as --users; then one message to each user, and how long until every session has heard of it.
if (o.mode === 'told') {
  const open = [];
  for (let k = 0; k < o.conns; k += 50)
    await Promise.all(
      Array.from({ length: Math.min(50, o.conns - k) }, async (_, j) => {
        const c = await session(k + j);
        const go = c.continuation();
        c.send('IDLE').catch(() => {});
        await go;
        open.push(c);
      }),
    );
  const known = open.map((c) => c.exists);
  const used = accounting(o.tree);
  const t = now();
  const sender = await session(0, false);
  for (let user = 0; user < o.users; user++) {
    const to = userOf(o.user, o.offset + user, o.domains);
    const c = user === 0 ? sender : await session(user, false);
    const text = `From: a@load.example\r\nTo: <${to}>\r\nSubject: told\r\n\r\nx\r\n`;
    const go = c.continuation();
    const fin = c.send(`APPEND ${o.mailbox} {${text.length}}`);
    await go;
    c.conn.sock.write(`${text}\r\n`);
    await fin;
    if (user > 0) c.close();
  }
  sender.close();
  const late = () => open.filter((c, n) => c.exists <= known[n]).length;
  while (late() > 0 && now() - t < 60_000) await sleep(20);
  const seconds = (now() - t) / 1000;
  for (const c of open) c.close();
  report({ kind: 'imap-told', conns: open.length, late: late(), seconds: round(seconds), ...used(open.length) });
}
