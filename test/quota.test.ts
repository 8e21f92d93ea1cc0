// What all of a domain's people together may hold: counted by the server from the write on that says so, over a restart too.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { administrator, domainDn, PASSWORD, populate, replaceAttribute, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';

let server: Waypost;
let client: Client;

before(async () => {
  server = await startWaypost();
  await populate(server, 'acme.example', ['ann', 'bob']);
  client = await administrator(server);
});

after(async () => {
  await client?.unbind();
  await server?.stop();
});

const limit = (...values: string[]): Promise<void> =>
  replaceAttribute(client, domainDn('acme.example'), 'mailDomainMsgQuota', values);

/** The code of RCPT. */
async function asked(to: string): Promise<number> {
  const smtp = await SmtpClient.open(server.listeners.smtp);
  await smtp.command('MAIL FROM:<carol@remote.example>');
  const { code } = await smtp.command(`RCPT TO:<${to}>`);
  await smtp.quit();
  return code;
}

async function send(to: string): Promise<void> {
  const smtp = await SmtpClient.open(server.listeners.smtp);
  await smtp.send('carol@remote.example', [to], Buffer.from('Subject: x\r\n\r\nx\r\n'));
  await smtp.quit();
}

/** Accounts are counted by the transfer thread: soon, not at once. */
const says = (what: string, to: string, code: number): Promise<void> =>
  until(what, async () => (await asked(to)) === code);

test('a domain that is full takes nothing for any of its people', async () => {
  await send(ANN);
  await send(BOB);
  await limit('3');
  assert.equal(await asked(ANN), 250);
  await send(BOB);
  await says('three messages fill it', ANN, 452);
  assert.equal(await asked(BOB), 452);
  const bob = await ImapClient.login(server.listeners.imap, BOB, PASSWORD);
  await bob.command('SELECT INBOX');
  await bob.command('STORE 1 +FLAGS (\\Deleted)');
  await bob.command('EXPUNGE');
  await bob.logout();
  assert.equal(await asked(ANN), 250, 'what one of them removes is room for the other');
  await limit('2');
  await says('the limit is another', ANN, 452);
  await server.kill9();
  await server.restart();
  client = await administrator(server);
  await says('counted again after a kill', ANN, 452);
  await limit();
  await says('no limit any more', ANN, 250);
});

test('a user is warned once when the mailbox is nearly full, and again after it was not', async () => {
  const userLimit = (...values: string[]): Promise<void> =>
    replaceAttribute(client, userDn('cat@beta.example'), 'mailMsgQuota', values);
  await populate(server, 'beta.example', ['cat']);
  const CAT = 'cat@beta.example';
  await userLimit('10');
  const imap = await ImapClient.login(server.listeners.imap, CAT, PASSWORD);
  const warnings = async (): Promise<number> => {
    const messages = await imap.fetchAll();
    return messages.filter(({ body }) => body.includes('Subject: Your mailbox is ')).length;
  };
  const warned = async (count: number): Promise<void> => {
    await until(`${count} warnings`, async () => (await warnings()) >= count);
    assert.equal(await warnings(), count);
  };
  for (let n = 0; n < 8; n++) await send(CAT);
  assert.equal(await warnings(), 0);
  await send(CAT);
  await warned(1);
  assert.equal(await asked(CAT), 452, 'the warning counts too');
  // What goes over comes in again: not below 80 percent, no second warning.
  await imap.command('SELECT INBOX');
  await imap.command('STORE 1 +FLAGS.SILENT (\\Deleted)');
  await imap.command('EXPUNGE');
  await send(CAT);
  await warned(1);
  await imap.command('SELECT INBOX');
  await imap.command('STORE 1:* +FLAGS.SILENT (\\Deleted)');
  await imap.command('EXPUNGE');
  for (let n = 0; n < 9; n++) await send(CAT);
  await warned(1);
  await imap.logout();
});

test('many deliveries at once leave no mailbox above its limit, nor do other names of one mailbox', async () => {
  await populate(server, 'gamma.example', ['dan']);
  const DAN = 'dan@gamma.example';
  await replaceAttribute(client, userDn(DAN), 'mailAlternateAddress', ['daniel@gamma.example']);
  await replaceAttribute(client, userDn(DAN), 'mailQuota', ['6K']);
  const text = Buffer.from(`Subject: x\r\n\r\n${'x'.repeat(700)}\r\n`);
  const one = async (): Promise<boolean> => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    const taken = smtp.send('carol@remote.example', [DAN, 'daniel@gamma.example', 'DAN@gamma.example'], text);
    return taken.then(
      () => true,
      () => false,
    );
  };
  const taken = (await Promise.all(Array.from({ length: 12 }, one))).filter(Boolean).length;
  const imap = await ImapClient.login(server.listeners.imap, DAN, PASSWORD);
  const messages = (await imap.fetchAll()).filter(({ body }) => body.includes('Subject: x\r\n'));
  await imap.logout();
  const octets = messages.reduce((sum, { body }) => sum + body.length, 0);
  assert.equal(messages.length, taken);
  assert.ok(octets <= 6 * 1024 && octets + messages[0]!.body.length > 6 * 1024, `${taken} messages, ${octets} octets`);
});
