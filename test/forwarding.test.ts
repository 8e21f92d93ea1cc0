// Mail that a user sends on: to whom, from which sender, once each, and not round in a circle. And mail that waits.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import type { RemoteHost } from '../src/estate/remote-host.ts';
import type { RemoteMessage } from '../src/estate/remote-script.ts';
import { addDomain, addUser, administrator, PASSWORD, replaceAttribute, userDn } from './support/directory.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);

let estate: TestEstate;
let remote: RemoteHost;
let other: RemoteHost;
before(async () => {
  estate = await createTestEstate();
  remote = await estate.remoteHost('remote.example');
  other = await estate.remoteHost('other.example');
  const client = await administrator(estate);
  await addDomain(client, 'acme.example');
  for (const name of ['ann', 'bob', 'dave', 'eve']) await addUser(client, `${name}@acme.example`);
  await client.unbind();
});
after(() => estate?.close());

async function set(name: string, values: Record<string, string[]>): Promise<void> {
  const client = await administrator(estate);
  for (const [attribute, list] of Object.entries(values))
    await replaceAttribute(client, userDn(`${name}@acme.example`), attribute, list);
  await client.unbind();
}

const forwardTo = (...addresses: string[]) => ({
  mailDeliveryOption: ['mailbox', 'forward'],
  mailForwardingAddress: addresses,
});

let number = 0;
/** Gives the word that is in its subject and in no other. */
async function send(from: string, to: readonly string[], field = ''): Promise<string> {
  const word = `subject-${++number}`;
  const client = await SmtpClient.open(estate.listeners.smtp);
  await client.send(
    from,
    to,
    Buffer.from(`${field}From: <${from}>\r\nTo: ann@acme.example\r\nSubject: ${word}\r\n\r\ntext\r\n`),
  );
  await client.quit();
  return word;
}

async function inbox(name: string, word: string): Promise<string[]> {
  const client = await ImapClient.login(estate.listeners.imap, `${name}@acme.example`, PASSWORD);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1')).filter((text) => text.includes(word));
}

const sunk = (word: string): readonly RemoteMessage[] =>
  [...remote.messages, ...other.messages].filter(({ data }) => data.includes(word));

async function sunkOnce(word: string, recipient: string): Promise<RemoteMessage> {
  const own = () => sunk(word).filter(({ recipients }) => recipients.includes(recipient));
  await until(`${word} at ${recipient}`, () => own().length > 0);
  assert.equal(own().length, 1);
  return own()[0]!;
}

async function emptyQueue(): Promise<void> {
  await until('an empty queue', async () => (await new AdminClient(estate.data).call('queue.list', {})).length === 0);
}

/** A command's JSON. */
async function asked(...words: readonly string[]): Promise<unknown> {
  const { stdout } = await run('./waypost', [...words, '--json', '--data', estate.data]);
  return JSON.parse(stdout);
}

test('mail goes on to another host and stays in the mailbox, each once; a report to its new sender goes back to the old one', async () => {
  await set('ann', forwardTo('x@remote.example'));
  const word = await send('carol@other.example', ['ann@acme.example', 'ann+news@acme.example']);
  const { sender, data } = await sunkOnce(word, 'x@remote.example');
  assert.match(data, /^Delivered-To: ann@acme\.example\r\nReceived: /);
  assert.match(sender, /^SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=other\.example=carol@acme\.example$/);
  const [stored, ...more] = await inbox('ann', word);
  assert.equal(more.length, 0);
  assert.doesNotMatch(stored!, /Delivered-To/);
  const back = await send('', [sender]);
  await sunkOnce(back, 'carol@other.example');
  const refused = (error: unknown): boolean => error instanceof SmtpRefusal && /550 5\.7\.1/.test(error.message);
  await assert.rejects(send('eve@other.example', [sender]), refused);
  await assert.rejects(send('', [sender.replace('carol', 'dave')]), refused);
});

test('a sender of a domain here stays', async () => {
  const word = await send('bob@acme.example', ['ann@acme.example']);
  assert.equal((await sunkOnce(word, 'x@remote.example')).sender, 'bob@acme.example');
});

test('a report is sent on as one, from nobody', async () => {
  const word = await send('', ['ann@acme.example']);
  assert.equal((await sunkOnce(word, 'x@remote.example')).sender, '');
});

test('users who are here get it at once, and a circle ends', async () => {
  await set('ann', forwardTo('bob@acme.example'));
  await set('bob', forwardTo('ann@acme.example', 'dave@acme.example'));
  await set('dave', {
    mailDeliveryOption: ['forward'],
    mailForwardingAddress: ['ann@acme.example', 'eve@acme.example'],
  });
  const word = await send('carol@other.example', ['ann@acme.example', 'bob@acme.example']);
  for (const [name, count] of [
    ['ann', 1],
    ['bob', 1],
    ['dave', 0],
    ['eve', 1],
  ] as const)
    assert.equal((await inbox(name, word)).length, count, name);
  assert.deepEqual(sunk(word), []);
  await set('eve', { mailDeliveryOption: ['forward'], mailForwardingAddress: ['dave@acme.example'] });
  await set('dave', { mailDeliveryOption: ['forward'], mailForwardingAddress: ['eve@acme.example'] });
  await assert.rejects(send('carol@other.example', ['eve@acme.example']), /5\.4\.6/);
});

test('who is reached directly, too, gets one', async () => {
  await set('ann', forwardTo('x@remote.example'));
  await set('bob', forwardTo('x@remote.example', 'ann@acme.example'));
  await emptyQueue();
  const word = await send('carol@other.example', ['ann@acme.example', 'bob@acme.example']);
  await sunkOnce(word, 'x@remote.example');
  await emptyQueue();
  assert.equal(sunk(word).length, 1);
  assert.deepEqual([(await inbox('ann', word)).length, (await inbox('bob', word)).length], [1, 1]);
});

test('what comes back is kept and not sent on again; its sender reads why', async () => {
  const word = await send('carol@other.example', ['ann@acme.example'], 'Delivered-To: Ann@acme.example\r\n');
  const { data } = await sunkOnce('5.4.6', 'carol@other.example');
  assert.match(data, /Final-Recipient: rfc822; x@remote\.example/i);
  assert.equal((await inbox('ann', word)).length, 1);
  assert.equal(sunk(word).filter(({ recipients }) => recipients.includes('x@remote.example')).length, 0);
  assert.equal(
    (await inbox('ann', await send('carol@other.example', ['ann@acme.example'], 'Delivered-To: bob@acme.example\r\n')))
      .length,
    1,
  );
});

test('an option without its attribute is ignored and named; none left: mail waits', async () => {
  await set('bob', {
    mailDeliveryOption: ['mailbox', 'forward'],
    mailForwardingAddress: ['bob+x@acme.example'],
  });
  assert.equal((await inbox('bob', await send('carol@other.example', ['bob@acme.example']))).length, 1);
  const problems = JSON.stringify(await asked('sync', 'status'));
  for (const text of ['is an address of this entry', 'names nobody']) assert.ok(problems.includes(text), text);
  for (const value of ['|vacation bob', ':include:/tmp/x', '/var/mail/bob'])
    await assert.rejects(set('bob', { mailForwardingAddress: [value] }), /legal is a mail address/, value);
  await set('bob', { mailDeliveryOption: ['forward'] });
  await assert.rejects(send('carol@other.example', ['bob@acme.example']), /451 4\.3\.5/);
  await set('bob', { mailDeliveryOption: ['native', 'unix', 'mailbox'] });
  assert.equal((await inbox('bob', await send('carol@other.example', ['bob@acme.example']))).length, 1);
});

test('what cannot be reached is reported to the sender, and stops nothing else', async () => {
  await set('ann', forwardTo('nobody@acme.example', 'dave@acme.example'));
  await set('dave', { mailDeliveryOption: [], mailForwardingAddress: [] });
  const before = other.messages.length;
  const word = await send('carol@other.example', ['ann@acme.example']);
  assert.deepEqual([(await inbox('ann', word)).length, (await inbox('dave', word)).length], [1, 1]);
  await until('a report', () => other.messages.length > before);
  const { data, recipients } = other.messages.at(-1)!;
  assert.deepEqual(recipients, ['carol@other.example']);
  assert.match(data, /Final-Recipient: rfc822; nobody@acme\.example/i);
});

test('who only sends on hands the wish for reports on, too', async () => {
  await set('ann', { mailDeliveryOption: ['forward'], mailForwardingAddress: ['x@remote.example'] });
  const client = await SmtpClient.open(estate.listeners.smtp);
  await client.command('MAIL FROM:<carol@other.example> ENVID=q1 RET=HDRS');
  await client.command('RCPT TO:<ann@acme.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ann@acme.example');
  await client.data(Buffer.from('Subject: wishes\r\n\r\ntext\r\n'));
  await client.quit();
  const { parameters } = await sunkOnce('Subject: wishes', 'x@remote.example');
  assert.match(parameters, /ENVID=q1/);
  const rcpt = remote.commands.filter((line) => line.startsWith('RCPT TO:<x@remote.example>')).at(-1)!;
  assert.match(rcpt, /NOTIFY=SUCCESS,FAILURE/);
  assert.match(rcpt, /ORCPT=rfc822;ann@acme\.example/);
});

test('a list sends on beside its members; members_offline is members', async () => {
  const client = await administrator(estate);
  await client.add('cn=team,ou=Groups,dc=acme,dc=example,o=internet', {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: 'team',
    mail: 'team@acme.example',
    uniqueMember: userDn('dave@acme.example'),
    mailDeliveryOption: ['members_offline', 'forward'],
    mailForwardingAddress: 'x@remote.example',
  });
  await client.unbind();
  const word = await send('carol@other.example', ['team@acme.example']);
  assert.match((await sunkOnce(word, 'x@remote.example')).data, /^Delivered-To: team@acme\.example\r\n/);
  await emptyQueue();
  assert.equal((await inbox('dave', word)).length, 1);
});

test('hold keeps mail until the entry changes, and excludes all else', async () => {
  await set('ann', { ...forwardTo('x@remote.example'), mailDeliveryOption: ['mailbox', 'forward', 'hold'] });
  const word = await send('carol@other.example', ['ann@acme.example']);
  assert.deepEqual(await inbox('ann', word), []);
  await set('ann', forwardTo('x@remote.example'));
  await sunkOnce(word, 'x@remote.example');
  assert.equal((await inbox('ann', word)).length, 1);
});
