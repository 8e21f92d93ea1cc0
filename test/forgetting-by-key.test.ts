// A change makes no thread read anew what it has not touched: `waypost_routing_rows_read_total` stands still while the warm
// recipients of one domain are asked on every thread, after changes in another, and of telephone numbers anywhere. Fig. 7, 702.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { SmtpProbe } from './false-bounce/probes.ts';
import {
  addDomain,
  addUser,
  administrator,
  domainDn,
  removeUser,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { rowsRead } from './support/metrics.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const THREADS = 3;
const NAMES = Array.from({ length: 1000 }, (_, n) => `u${n}@b.example`);
/** Additions that are under way at once. */
const AT_ONCE = 50;

let server: Waypost;
let ldap: Client;
/** Consecutive connections go to different threads. */
let threads: SmtpProbe[];
before(async () => {
  server = await startWaypost({ config: `threads = ${THREADS}` });
  ldap = await administrator(server, 600_000);
  await addDomain(ldap, 'a.example');
  await addUser(ldap, 'ann@a.example');
  await addDomain(ldap, 'b.example');
  for (let at = 0; at < NAMES.length; at += AT_ONCE)
    await Promise.all(NAMES.slice(at, at + AT_ONCE).map((name) => addUser(ldap, name)));
  threads = [];
  for (let n = 0; n < THREADS; n++) threads.push(await SmtpProbe.open(server.listeners.smtp));
});
after(async () => {
  for (const thread of threads ?? []) thread.close();
  await ldap?.unbind();
  await server?.stop();
});

/** Asks every thread for all of b.example; gives the rows that were read for it. */
async function readByAsking(): Promise<number> {
  const start = await rowsRead(server);
  await Promise.all(
    threads.map(async (thread) => {
      for (const name of NAMES) assert.match(await thread.rcpt(name), /^250 2\.1\.5/, name);
    }),
  );
  return (await rowsRead(server)) - start;
}

test('every thread reads the rows of a thousand recipients once', async () => {
  const read = await readByAsking();
  assert.ok(read >= THREADS * NAMES.length, `${read} rows`);
  assert.equal(await readByAsking(), 0);
});

const elsewhere: Readonly<Record<string, () => Promise<unknown>>> = {
  'of people of another domain': async () => {
    await addUser(ldap, 'bob@a.example');
    await replaceAttribute(ldap, userDn('ann@a.example'), 'mailUserStatus', ['inactive']);
    await removeUser(ldap, 'bob@a.example');
  },
  'of another domain itself': async () => {
    await replaceAttribute(ldap, domainDn('a.example'), 'mailDomainStatus', ['inactive']);
    await addDomain(ldap, 'c.example');
  },
  'of telephone numbers, there and here': async () => {
    for (const name of ['ann@a.example', NAMES[0]!, NAMES[7]!])
      await replaceAttribute(ldap, userDn(name), 'telephoneNumber', ['+49 30 1234']);
  },
};
for (const [what, change] of Object.entries(elsewhere))
  test(`after changes ${what} no row is read again`, async () => {
    await change();
    assert.equal(await readByAsking(), 0);
  });

test('after a change of one of them its row alone is read again', async () => {
  await replaceAttribute(ldap, userDn(NAMES[7]!), 'mailUserStatus', ['active']);
  const read = await readByAsking();
  assert.ok(read >= THREADS && read <= 3 * THREADS, `${read} rows`);
});
