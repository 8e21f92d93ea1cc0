// Answers in an absence: once to each sender, never to a program, and never for ever, whatever the other server does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import type { RemoteMessage } from '../src/estate/remote-script.ts';
import { addDomain, addUser, administrator, PASSWORD, replaceAttribute, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const [ONE, TWO] = ['one.hosts.example', 'two.hosts.example'];

let one: Waypost;
let two: Waypost;
let sink: RemoteHost;
before(async () => {
  sink = await RemoteHost.start({}, '127.0.0.4');
  const config = `[next-hop]\n"remote.example" = "${sink.nextHop}"\n[queue]\nretry = ["1s"]\n`;
  const start = (hostname: string, address: string): Promise<Waypost> =>
    startWaypost({ config, env: { WAYPOST_HOSTNAME: hostname, WAYPOST_LISTEN: address } });
  [one, two] = await Promise.all([start(ONE, '127.0.0.2'), start(TWO, '127.0.0.3')]);
  await Promise.all([
    populate(one, 'one.example', two, 'two.example'),
    populate(two, 'two.example', one, 'one.example'),
  ]);
});
after(async () => {
  await Promise.all([one?.stop(), two?.stop()]);
  await sink?.close();
});

/** The other domain's people are at the other server. */
async function populate(server: Waypost, domain: string, other: Waypost, otherDomain: string): Promise<void> {
  const client = await administrator(server);
  const { host, port } = other.listeners.smtp;
  await client.add(`cn=${other.hostname},ou=Hosts,ou=Waypost,o=internet`, {
    objectClass: 'waypostHost',
    cn: other.hostname,
    waypostHostAddress: host,
    waypostHostPort: String(port),
  });
  await addDomain(client, otherDomain, { mailRoutingHosts: other.hostname });
  await addDomain(client, domain);
  await addUser(client, `ann@${domain}`, { cn: 'Ann' });
  await addUser(client, `bob@${domain}`);
  await client.unbind();
}

async function set(server: Waypost, address: string, values: Record<string, string[]>): Promise<void> {
  const client = await administrator(server);
  for (const [attribute, list] of Object.entries(values))
    await replaceAttribute(client, userDn(address), attribute, list);
  await client.unbind();
}

const AWAY = { mailDeliveryOption: ['mailbox', 'autoreply'], mailAutoReplyText: ['I am away'] };

async function send(server: Waypost, from: string, to: string, ...fields: readonly string[]): Promise<void> {
  const client = await SmtpClient.open(server.listeners.smtp);
  const header = [...fields, `From: <${from}>`, `To: <${to}>`, 'Subject: hello', 'Message-ID: <m@remote.example>'];
  await client.send(from, [to], Buffer.from(`${header.join('\r\n')}\r\n\r\ntext\r\n`));
  await client.quit();
}

async function inbox(server: Waypost, login: string): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, login, PASSWORD);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

async function asked(server: Waypost, ...words: readonly string[]): Promise<unknown> {
  const { stdout } = await run('./waypost', [...words, '--json', '--data', server.data]);
  return JSON.parse(stdout);
}

const emptyQueue = (server: Waypost): Promise<void> =>
  until('an empty queue', async () => (await new AdminClient(server.data).call('queue.list', {})).length === 0);

const answers = (to: string): readonly RemoteMessage[] =>
  sink.messages.filter(({ recipients }) => recipients.includes(to));

test('a sender is answered once, by name, from the null sender; a new text answers anew', async () => {
  await set(one, 'ann@one.example', AWAY);
  await send(one, 'carol@remote.example', 'ann@one.example');
  await until('an answer', () => answers('carol@remote.example').length === 1);
  const [answer] = answers('carol@remote.example');
  assert.equal(answer?.sender, '');
  for (const line of [
    /^From: Ann <ann@one\.example>\r$/m,
    /^Subject: Auto: hello\r$/m,
    /^In-Reply-To: <m@remote\.example>\r$/m,
  ])
    assert.match(answer!.data, line);
  assert.match(answer!.data, /^Auto-Submitted: auto-replied\r$/m);
  await send(one, 'Carol@remote.example', 'ann@one.example');
  await emptyQueue(one);
  assert.equal(answers('Carol@remote.example').length, 0);
  await set(one, 'ann@one.example', { mailAutoReplyText: ['Still away'] });
  await send(one, 'carol@remote.example', 'ann@one.example');
  await until('a second answer', () => answers('carol@remote.example').length === 2);
  assert.equal((await inbox(one, 'ann@one.example')).length, 3);
  const events = JSON.stringify(await asked(one, 'trace', 'ann@one.example'));
  for (const word of ['replied', 'automatically, to carol@remote.example', 'ignored', 'the sender has had it on'])
    assert.ok(events.includes(word), word);
});

test('who has not been written to, and programs, are not answered; the reason is in the journey', async () => {
  const before = sink.messages.length;
  await send(one, 'dave@remote.example', 'ann@one.example', 'Precedence: bulk');
  await send(one, 'owner-news@remote.example', 'ann@one.example');
  await send(one, '', 'ann@one.example');
  await set(one, 'ann@one.example', {
    objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient', 'userPresenceProfile'],
    vacationEndDate: ['20200101000000Z'],
  });
  await send(one, 'dave@remote.example', 'ann@one.example');
  await emptyQueue(one);
  assert.equal(sink.messages.length, before);
  const events = JSON.stringify(await asked(one, 'trace', 'ann@one.example'));
  for (const word of [
    'Precedence: bulk',
    'the sender is no person',
    'the message has no sender',
    'the absence is over',
  ])
    assert.ok(events.includes(word), word);
  await set(one, 'ann@one.example', { vacationEndDate: [] });
});

test('mode echo sends the message back', async () => {
  await set(one, 'bob@one.example', { ...AWAY, mailAutoReplyMode: ['echo'], 'mailAutoReplyText;lang-de': ['weg'] });
  await send(one, 'erin@remote.example', 'bob@one.example', 'Accept-Language: de', 'X-Own: yes');
  await until('an answer', () => answers('erin@remote.example').length === 1);
  const { data } = answers('erin@remote.example')[0]!;
  assert.match(data, /Content-Type: text\/plain; charset=us-ascii\r\n\r\nweg\r\n/);
  assert.match(data, /Content-Type: message\/rfc822\r\n\r\nReceived: [\s\S]*X-Own: yes[\s\S]*\r\n\r\ntext\r\n/);
  await set(one, 'bob@one.example', { mailAutoReplyMode: [] });
});

test('two who are away answer each other once, also where each is at another server', async () => {
  for (const [server, domain] of [
    [one, 'one.example'],
    [two, 'two.example'],
  ] as const)
    for (const name of ['ann', 'bob']) await set(server, `${name}@${domain}`, AWAY);
  const before = (await inbox(one, 'ann@one.example')).length;
  await send(one, 'ann@one.example', 'ann@two.example', 'Auto-Submitted: no');
  await send(one, 'ann@one.example', 'bob@one.example');
  await until('both answers', async () => (await inbox(one, 'ann@one.example')).length === before + 2);
  await emptyQueue(one);
  await emptyQueue(two);
  assert.equal((await inbox(one, 'ann@one.example')).length, before + 2);
  assert.equal((await inbox(two, 'ann@two.example')).length, 1);
  assert.equal((await inbox(one, 'bob@one.example')).length, 2);
});
