// A long list on the started program: RCPT reads a handful of rows, and whatever kills the process while the list is expanded,
// everybody gets the message once.
//
// LIST_MEMBERS=100000 KILLS=20 for the long form

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, domainDn, userDn } from './support/directory.ts';
import { kills } from './support/kills.ts';
import { rowsRead } from './support/metrics.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const MEMBERS = Number(process.env['LIST_MEMBERS'] ?? 600);
const KILLS = kills(3);
/** Additions that are under way at once. */
const AT_ONCE = 50;
const BODY = Buffer.from('Subject: to all\r\n\r\ntext\r\n');

const names = Array.from({ length: MEMBERS }, (_, n) => `u${n}@acme.example`);
const listDn = (name: string): string => `cn=${name},ou=Groups,${domainDn('acme.example')}`;

async function populate(server: Waypost): Promise<void> {
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  for (let at = 0; at < names.length; at += AT_ONCE)
    await Promise.all(names.slice(at, at + AT_ONCE).map((name) => addUser(client, name)));
  const list = (name: string, uniqueMember: readonly string[], more: Record<string, string | string[]> = {}) =>
    client.add(listDn(name), {
      objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
      cn: name,
      mail: `${name}@acme.example`,
      uniqueMember: [...uniqueMember],
      ...more,
    });
  const half = Math.floor(names.length / 2);
  // Who is in the second half is in three ways in it.
  await list('second', names.slice(half).map(userDn), { mgrpRFC822MailMember: names.slice(half, half + 500) });
  await list('all', [...names.map(userDn), listDn('second'), listDn('all')]);
  const far = Array.from({ length: 99_999 }, (_, n) => `x${n}@remote.example`);
  await list('many', [userDn(names[0]!)], { mgrpRFC822MailMember: far });
  await client.unbind();
}

interface Stored {
  readonly copies: number;
  readonly accounts: number;
  readonly queued: number;
}

function stored({ data }: Waypost): Stored {
  const database = new DatabaseSync(join(data, 'store.db'), { readOnly: true, timeout: 5000 });
  try {
    const row = database.prepare('SELECT count(*) AS copies, count(DISTINCT account) AS accounts FROM mailbox_message');
    const queue = database.prepare('SELECT count(*) AS queued FROM queue');
    return { ...row.get(), ...queue.get() } as unknown as Stored;
  } finally {
    database.close();
  }
}

async function until(server: Waypost, holds: (now: Stored) => boolean): Promise<Stored> {
  for (const end = Date.now() + 60_000 + 20 * MEMBERS; ; ) {
    const now = stored(server);
    if (holds(now)) return now;
    assert.ok(Date.now() < end, `never came true: ${JSON.stringify(now)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('RCPT to a long list reads five rows, and kills while it is expanded leave out nobody and serve nobody twice', async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  await populate(server);
  const smtp = await SmtpClient.open(server.listeners.smtp);
  await smtp.command('MAIL FROM:<carol@remote.example>');
  for (const name of ['many', 'all']) {
    const before = await rowsRead(server);
    assert.equal((await smtp.command(`RCPT TO:<${name}@acme.example>`)).code, 250);
    const read = (await rowsRead(server)) - before;
    assert.ok(read <= 5, `${read} rows of ${name}`);
  }
  await smtp.command('RSET');
  await smtp.send('carol@remote.example', ['all@acme.example', names.at(-1)!], BODY);
  for (let kill = 1; kill <= KILLS; kill++) {
    const reached = Math.floor((kill * MEMBERS) / (KILLS + 1));
    await until(server, ({ copies, queued }) => copies >= reached || queued === 0);
    await server.kill9();
    await server.restart();
  }
  const { copies, accounts } = await until(server, ({ queued }) => queued === 0);
  assert.deepEqual({ copies, accounts }, { copies: MEMBERS, accounts: MEMBERS });
});
