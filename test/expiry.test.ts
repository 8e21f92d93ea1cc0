// Expiry on a started server: the rule comes over LDAP, the command and the upkeep thread carry it out, and sessions are told.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { addDomain, addUser, administrator, domainDn, replaceAttribute } from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const MESSAGE = Buffer.from('Subject: old\r\n\r\nx\r\n');
const GONE = { account: 'ann@acme.example', mailbox: 'Trash', messages: 2, bytes: 2 * MESSAGE.length };

let server: Waypost;
let admin: AdminClient;
before(async () => {
  server = await startWaypost();
  admin = new AdminClient(server.data);
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  await addUser(client, 'ann@acme.example');
  await assert.rejects(
    replaceAttribute(client, domainDn('acme.example'), 'waypostExpire', ['Trash soon']),
    (error: { code?: number; message: string }) => error.code === 21 && error.message.includes('FOLDER AGE'),
  );
  await replaceAttribute(client, domainDn('acme.example'), 'waypostExpire', ['Trash 1s', 'Sent never']);
  await client.unbind();
});
after(() => server?.stop());

async function fillTrash(): Promise<void> {
  const client = await ImapClient.login(server.listeners.imap, 'ann@acme.example', 'secret');
  for (const flags of ['', '\\Flagged', '\\Seen']) await client.append('Trash', MESSAGE, flags);
  await client.logout();
}

/** Of a message that is a second old at last. */
async function expired(dryRun: boolean) {
  let found: Awaited<ReturnType<typeof admin.call<'mailbox.expire'>>> | undefined;
  await until('what is old enough', async () => {
    found = await admin.call('mailbox.expire', { address: 'ann@acme.example', dryRun: true });
    return found.expired[0]?.messages === 2;
  });
  return dryRun ? found! : admin.call('mailbox.expire', {});
}

test('the command says what would go, and takes it away; a session in IDLE is told; the flagged one stays', async () => {
  await fillTrash();
  const { host, port } = server.listeners.imap;
  const idle = new Lines(connect({ host, port, noDelay: true }));
  await idle.line();
  await idle.command('a LOGIN ann@acme.example secret', 'a OK');
  await idle.command('b SELECT Trash', 'b OK');
  await idle.command('c IDLE', '+ ');
  assert.deepEqual(await expired(true), { expired: [GONE], others: 0 });
  assert.deepEqual(await expired(false), { expired: [GONE], others: 0 });
  assert.deepEqual([await idle.line(), await idle.line()], ['* 3 EXPUNGE', '* 1 EXPUNGE']);
  await server.said(/"event":"mailbox.expired"/);
  assert.deepEqual((await admin.call('mailbox.expire', {})).expired, []);
  await assert.rejects(admin.call('mailbox.expire', { address: 'nobody@acme.example' }), /no mailbox here/);
  assert.deepEqual(await admin.call('mailbox.check', {}), []);
});

test('CAPA of POP3 does not say that nothing ever goes', async () => {
  const { host, port } = server.listeners.pop3;
  const pop3 = new Lines(connect({ host, port, noDelay: true }));
  await pop3.line();
  assert.ok(!(await pop3.command('CAPA', '.')).some((line) => line.startsWith('EXPIRE')));
  pop3.close();
});

test('by itself, when the upkeep thread begins', async () => {
  await fillTrash();
  await expired(true);
  const from = server.stderr().length;
  await server.restart();
  await server.said(/"thread":"upkeep".*"messages":2.*"event":"mailbox.expired"/, from);
  const client = await ImapClient.login(server.listeners.imap, 'ann@acme.example', 'secret');
  assert.equal(await client.count('Trash'), 2);
  await client.logout();
});
