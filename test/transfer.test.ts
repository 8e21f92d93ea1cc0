// Out of the started program: submitted, to the domain's host by DNS or by [next-hop], tried again, and back as a report.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { addUser, administrator, populate, removeUser } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const MESSAGE = Buffer.from('From: ann@acme.example\r\nSubject: out\r\n\r\n.dots\r\nbody\r\n');
const ANN = { login: 'ann@acme.example', password: 'secret' };
const EVE = { ...ANN, login: 'eve@acme.example' };

let sink: RemoteHost;
let dns: DnsTestServer;
let server: Waypost;
before(async () => {
  sink = await RemoteHost.start();
  dns = await DnsTestServer.start('127.0.0.2');
  server = await startWaypost({
    config: [
      `resolver = ["${dns.server}"]`,
      '[next-hop]',
      `"remote.example" = "${sink.nextHop}"`,
      '[queue]',
      'retry = ["1s"]',
      'expire = "1h"',
    ].join('\n'),
  });
  await populate(server, 'acme.example', ['ann', 'bob', 'eve']);
});
after(async () => {
  await server?.stop();
  await sink?.close();
  await dns?.close();
});
/** Whatever the test before wanted of the remote host, and left there. */
beforeEach(() => {
  sink.script = {};
  sink.commands.length = 0;
  sink.messages.length = 0;
});

async function submit(from: Waypost, to: readonly string[], who = ANN): Promise<void> {
  const client = await SmtpClient.open(from.listeners.submission, who);
  await client.send(who.login, to, MESSAGE);
  await client.quit();
}

async function inbox(of: Waypost, login = ANN.login): Promise<string[]> {
  const client = await ImapClient.login(of.listeners.imap, login, ANN.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

test('a submitted message goes to the remote host, with what submission adds and without a Return-Path', async () => {
  await submit(server, ['rex@remote.example', 'bob@acme.example']);
  await until('it is there', () => sink.messages.length === 1);
  const { sender, recipients, data } = sink.messages[0]!;
  assert.equal(sender, 'ann@acme.example');
  assert.deepEqual(recipients, ['rex@remote.example']);
  assert.match(data, /^DKIM-Signature: [\s\S]*\r\nReceived: from /);
  assert.match(data, /^Message-ID: <[^>]+@mail\.waypost\.example>\r\n/m);
  assert.match(data, /^Date: /m);
  assert.ok(data.endsWith('From: ann@acme.example\r\nSubject: out\r\n\r\n.dots\r\nbody\r\n'));
  assert.equal(sink.commands[0], 'EHLO mail.waypost.example');
  // bob has it at once, and the same copy.
  const [local] = await inbox(server, 'bob@acme.example');
  assert.match(local ?? '', /^Return-Path: <ann@acme\.example>\r\n/);
});

test('4xx and a restart: tried again until it is taken, once', async () => {
  sink.script = { rcpt: '450 4.2.1 busy' };
  await submit(server, ['rex@remote.example']);
  await until('an attempt', () => sink.commands.some((line) => line.startsWith('RCPT')));
  await server.kill9();
  sink.script = {};
  await server.restart();
  await until('it is there', () => sink.messages.length === 1);
  await server.restart();
  assert.equal(sink.messages.length, 1);
});

test('refused: the sender gets a report', async () => {
  sink.script = { rcpt: '550 5.1.1 no such user' };
  await submit(server, ['rex@remote.example']);
  await until('the report', async () => (await inbox(server)).length === 1);
  const [report] = await inbox(server);
  assert.match(report ?? '', /^Return-Path: <>\r\n/);
  assert.match(report ?? '', /^Content-Type: multipart\/report; report-type=delivery-status;/m);
  assert.match(report ?? '', /^Final-Recipient: rfc822; rex@remote\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/m);
  assert.match(report ?? '', /^Subject: out\r\n/m);
});

test('what DNS says of a domain comes back in words', async () => {
  dns.mx('null.example', [0, '.']);
  dns.mx('here.example', [10, 'mail.waypost.example']);
  await submit(server, ['a@null.example', 'b@here.example', 'c@nowhere.example'], EVE);
  await until('reports', async () => (await inbox(server, EVE.login)).join('').split('Final-Recipient:').length === 4);
  const reports = (await inbox(server, EVE.login)).join('');
  for (const [recipient, status] of [
    ['a@null.example', '5.1.10'],
    ['b@here.example', '5.4.6'],
    ['c@nowhere.example', '5.1.2'],
  ])
    assert.ok(reports.includes(`Final-Recipient: rfc822; ${recipient}\r\nAction: failed\r\nStatus: ${status}\r\n`));
});

test('a stranger whose message was taken gets a report by the queue, from the null sender', async () => {
  const directory = await administrator(server);
  await addUser(directory, 'cat@acme.example');
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.command('MAIL FROM:<rex@remote.example>');
  await client.command('RCPT TO:<ann@acme.example>');
  await client.command('RCPT TO:<cat@acme.example>');
  await removeUser(directory, 'cat@acme.example');
  await directory.unbind();
  await client.command('DATA');
  assert.equal((await client.command('Subject: x\r\n\r\nx\r\n.')).code, 250);
  await client.quit();
  await until('the report', () => sink.messages.length === 1);
  assert.equal(sink.messages[0]?.sender, '');
  assert.deepEqual(sink.messages[0]?.recipients, ['rex@remote.example']);
  assert.match(sink.messages[0]?.data ?? '', /^Final-Recipient: rfc822; cat@acme\.example\r\n/m);
});

test('from one Waypost to another, and back', async (context) => {
  const there = await startWaypost({ env: { WAYPOST_HOSTNAME: 'mail.there.example' } });
  context.after(() => there.stop());
  const { host, port } = there.listeners.smtp;
  const here = await startWaypost({
    config: `[next-hop]\n"there.example" = "[${host}]:${port}"\n`,
  });
  context.after(() => here.stop());
  await populate(here, 'acme.example', ['ann']);
  const [rex] = await populate(there, 'there.example', ['rex']);
  await submit(here, ['rex@there.example', 'nobody@there.example']);
  await until('it is there', async () => (await inbox(there, rex!.login)).length === 1);
  const [got] = await inbox(there, rex!.login);
  assert.match(got ?? '', /^Return-Path: <ann@acme\.example>\r\nReceived: from mail\.waypost\.example /);
  assert.match(got ?? '', /by mail\.there\.example \(Waypost\) with ESMTP/);
  await until('the report', async () => (await inbox(here)).length === 1);
  const [report] = await inbox(here);
  assert.match(
    report ?? '',
    /^Final-Recipient: rfc822; nobody@there\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/m,
  );
  assert.match(report ?? '', /^Remote-MTA: dns; \[127\.0\.0\.1\]\r\n/m);
});
