// Two started programs with two names and the same entries: each person's mailHost says which of them has the mailbox.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, PASSWORD, replaceAttribute, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const [ONE, TWO] = ['one.hosts.example', 'two.hosts.example'];
const [ANN, BOB] = ['ann@acme.example', 'bob@acme.example'];
const MESSAGE = Buffer.from('From: carol@remote.example\r\nSubject: hello\r\n\r\ntext\r\n');
const config = ['[queue]', 'retry = ["1s"]', 'expire = "1h"'].join('\n');

let one: Waypost;
let two: Waypost;
before(async () => {
  // Clients of this machine come from 127.0.0.1, where neither of the two is.
  const start = (hostname: string, address: string): Promise<Waypost> =>
    startWaypost({ config, env: { WAYPOST_HOSTNAME: hostname, WAYPOST_LISTEN: address } });
  [one, two] = await Promise.all([start(ONE, '127.0.0.2'), start(TWO, '127.0.0.3')]);
  await Promise.all([populate(one, TWO, two), populate(two, ONE, one)]);
});
after(() => Promise.all([one?.stop(), two?.stop()]));

async function populate(server: Waypost, other: string, { listeners }: Waypost): Promise<void> {
  const client = await administrator(server);
  await client.add(hostDn(other), {
    objectClass: 'waypostHost',
    cn: other,
    waypostHostAddress: listeners.smtp.host,
    waypostHostPort: String(listeners.smtp.port),
  });
  await addDomain(client, 'acme.example', { preferredMailHost: ONE });
  await addUser(client, ANN);
  await addUser(client, BOB, { mailHost: TWO });
  await client.unbind();
}

const hostDn = (name: string): string => `cn=${name},ou=Hosts,ou=Waypost,o=internet`;

async function everywhere(dn: string, attribute: string, value: string): Promise<void> {
  for (const server of [one, two]) {
    const client = await administrator(server);
    await replaceAttribute(client, dn, attribute, [value]);
    await client.unbind();
  }
}

async function send(server: Waypost, ...to: readonly string[]): Promise<void> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.send('carol@remote.example', to, MESSAGE);
  await client.quit();
}

async function inbox(server: Waypost, login: string): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, login, PASSWORD);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

async function arrived(server: Waypost, login: string, count: number): Promise<string[]> {
  let messages: string[] = [];
  await until(`${count} messages of ${login} at ${server.hostname}`, async () => {
    messages = await inbox(server, login);
    return messages.length >= count;
  });
  return messages;
}

test('one message reaches each where the mailbox is, with the envelope as it came, by either host', async () => {
  await send(one, ANN, 'Bob+news@acme.example');
  const [atOne] = await arrived(one, ANN, 1);
  const [atTwo] = await arrived(two, BOB, 1);
  for (const text of [atOne, atTwo]) assert.match(text ?? '', /^Return-Path: <carol@remote\.example>\r\n/);
  assert.match(atTwo ?? '', /by two\.hosts\.example[\s\S]*by one\.hosts\.example/);
  assert.match(atTwo ?? '', /for <Bob\+news@acme\.example>/);
  await send(two, ANN, BOB);
  await arrived(one, ANN, 2);
  await arrived(two, BOB, 2);
});

test('a user logs in where the mailbox is', async () => {
  await assert.rejects(inbox(one, BOB), /two\.hosts\.example/);
  await assert.rejects(inbox(two, ANN), /one\.hosts\.example/);
});

test('mail that still waits goes to the new place, and so does the next message', async () => {
  await replaceHostOfTwo('127.0.0.9');
  await send(one, BOB);
  await everywhere(userDn(BOB), 'mailHost', ONE);
  await arrived(one, BOB, 1);
  await replaceHostOfTwo(two.listeners.smtp.host);
  await send(two, BOB);
  await arrived(one, BOB, 2);
});

/** Nobody listens at the other address. */
async function replaceHostOfTwo(address: string): Promise<void> {
  const client = await administrator(one);
  await replaceAttribute(client, hostDn(TWO), 'waypostHostAddress', [address]);
  await client.unbind();
}

test('what comes from a host is not sent straight back to it', async () => {
  const client = await administrator(two);
  await replaceAttribute(client, hostDn(ONE), 'waypostHostAddress', ['127.0.0.2', '127.0.0.1']);
  await assert.rejects(send(two, ANN), (error: unknown) => {
    assert.ok(error instanceof SmtpRefusal);
    assert.match(error.message, /451 4\.4\.6/);
    return true;
  });
  await replaceAttribute(client, hostDn(ONE), 'waypostHostAddress', ['127.0.0.2']);
  await client.unbind();
  await send(two, ANN);
  await arrived(one, ANN, 3);
});
