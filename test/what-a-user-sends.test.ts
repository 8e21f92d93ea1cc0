// What becomes of mail that a user sends: by a channel of the user's own; none at all from one who is suspended. And how an
// administrator says so.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { addDomain, addUser, administrator, PASSWORD, replaceAttribute, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);

let server: Waypost;
let sink: RemoteHost;
let own: RemoteHost;
/** The sink says later to all. */
let isDown = false;
before(async () => {
  sink = await RemoteHost.start({ rcpt: () => (isDown ? '451 4.2.1 later' : '250 ok') });
  own = await RemoteHost.start();
  server = await startWaypost({
    config: `[next-hop]\n"remote.example" = "${sink.nextHop}"\n[queue]\nretry = ["1s"]\n`,
  });
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  for (const name of ['ann', 'bob', 'dave']) await addUser(client, `${name}@acme.example`);
  await client.add('cn=ours,ou=Channels,ou=Waypost,o=internet', {
    objectClass: 'waypostChannel',
    cn: 'ours',
    waypostChannelKind: 'smtp',
    waypostKeyword: `daemon ${own.nextHop}`,
  });
  await client.unbind();
});
after(async () => {
  await server?.stop();
  await sink?.close();
  await own?.close();
});

/** What a command prints. */
async function waypost(...words: readonly string[]): Promise<string> {
  return (await run('./waypost', [...words, '--data', server.data])).stdout;
}

async function set(name: string, values: Record<string, string[]>): Promise<void> {
  const client = await administrator(server);
  for (const [attribute, list] of Object.entries(values))
    await replaceAttribute(client, userDn(`${name}@acme.example`), attribute, list);
  await client.unbind();
}

async function attributes(name: string): Promise<Record<string, string[]>> {
  const shown = JSON.parse(await waypost('user', 'show', `${name}@acme.example`, '--json'));
  return shown.entry.attributes;
}

let number = 0;
async function submit(name: string, to: string): Promise<string> {
  const word = `subject-${++number}`;
  const client = await SmtpClient.open(server.listeners.submission, {
    login: `${name}@acme.example`,
    password: PASSWORD,
  });
  await client.send(`${name}@acme.example`, [to], Buffer.from(`Subject: ${word}\r\n\r\ntext\r\n`));
  await client.quit();
  return word;
}

async function fromOutside(to: string): Promise<void> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.send('carol@remote.example', [to], Buffer.from(`To: ${to}\r\nSubject: x\r\n\r\ntext\r\n`));
  await client.quit();
}

const queue = () => new AdminClient(server.data).call('queue.list', {});

test('mail of a login to other hosts goes by its channel, to people here as ever', async () => {
  await set('bob', { mailSMTPSubmitChannel: ['Ours'] });
  const [abroad, here] = [await submit('bob', 'x@remote.example'), await submit('bob', 'dave@acme.example')];
  await until('the channel', () => own.messages.some(({ data }) => data.includes(abroad)));
  assert.equal(sink.messages.length, 0);
  const client = await ImapClient.login(server.listeners.imap, 'dave@acme.example', PASSWORD);
  assert.ok((await client.fetchAll()).some(({ body }) => body.includes(here)));
  await client.logout();
  await set('bob', { mailSMTPSubmitChannel: ['nowhere'] });
  await assert.rejects(submit('bob', 'x@remote.example'), /451 4\.3\.5/);
  await submit('bob', 'dave@acme.example');
  await set('bob', { mailSMTPSubmitChannel: [] });
});

test('nothing goes out from who is suspended: sessions end, MAIL is refused, the queue is held until it is undone', async () => {
  await set('ann', {
    mailDeliveryOption: ['mailbox', 'forward', 'autoreply'],
    mailForwardingAddress: ['y@remote.example'],
    mailAutoReplyText: ['away'],
  });
  isDown = true;
  const word = await submit('ann', 'x@remote.example');
  const other = await submit('dave', 'z@remote.example');
  const open = await ImapClient.login(server.listeners.imap, 'ann@acme.example', PASSWORD);
  await waypost('user', 'suspend', 'ann@acme.example');
  await assert.rejects(open.fetchAll());
  await until('a held row', async () =>
    (await queue()).some(({ recipient, heldBy }) => recipient === 'x@remote.example' && heldBy === 'suspended'),
  );
  await assert.rejects(submit('ann', 'x@remote.example'), /550 5\.7\.1/);
  await fromOutside('ann@acme.example');
  const again = await ImapClient.login(server.listeners.imap, 'ann@acme.example', PASSWORD);
  assert.equal((await again.fetchAll()).length, 1);
  await again.logout();
  isDown = false;
  await until('the mail of others', () => sink.messages.some(({ data }) => data.includes(other)));
  // Its row goes when the other host's answer is written down.
  await until('its row is gone', async () => (await queue()).every(({ heldBy }) => heldBy === 'suspended'));
  const held = await queue();
  assert.deepEqual(
    held.map(({ heldBy }) => heldBy),
    ['suspended', 'suspended', 'suspended'],
    JSON.stringify(held),
  );
  assert.match(await waypost('user', 'show', 'ann@acme.example'), /suspended: nothing goes out/);
  // A start releases none of it.
  await server.kill9();
  await server.restart();
  assert.equal((await queue()).length, 3);
  await waypost('user', 'suspend', 'ann@acme.example', '--undo');
  await until('an empty queue', async () => (await queue()).length === 0);
  assert.ok(sink.messages.some(({ data }) => data.includes(word)));
  assert.ok(sink.messages.some(({ recipients }) => recipients.includes('y@remote.example')));
  assert.ok(
    sink.messages.some(({ recipients, sender }) => recipients.includes('carol@remote.example') && sender === ''),
  );
});

test('user set writes what an LDAP client would, user show says it in words', async () => {
  await waypost('user', 'set', 'dave@acme.example', '--forward', 'X@Remote.example', 'ann@acme.example');
  assert.deepEqual((await attributes('dave'))['mailForwardingAddress'], ['x@remote.example', 'ann@acme.example']);
  assert.deepEqual((await attributes('dave'))['mailDeliveryOption'], ['mailbox', 'forward']);
  const vacation = ['--vacation-from', '2026-12-20', '--vacation-until', '2027-01-03'];
  await assert.rejects(waypost('user', 'set', 'dave@acme.example', ...vacation), /--vacation-text/);
  await waypost('user', 'set', 'dave@acme.example', ...vacation, '--vacation-text', 'Away$until $END');
  const away = await attributes('dave');
  assert.deepEqual(away['vacationStartDate'], ['20261220000000Z']);
  assert.deepEqual(away['vacationEndDate'], ['20270103235959Z']);
  assert.deepEqual(away['mailDeliveryOption'], ['mailbox', 'forward', 'autoreply']);
  const words = await waypost('user', 'show', 'dave@acme.example');
  assert.match(words, /^# mail is kept in the mailbox\n# mail goes on to x@remote\.example, ann@acme\.example\n/);
  assert.match(
    words,
    /# mail is answered from 2026-12-20 until 2027-01-03 23:59: each sender once in 168 hours, "Away"/,
  );
  const route = await waypost('route', 'dave@acme.example');
  for (const line of [
    'autoreply, forward, mailbox',
    'autoreply by dave@acme.example',
    'forward to x@remote.example by dave@acme.example',
  ])
    assert.ok(route.includes(line), route);
  await waypost('user', 'set', 'dave@acme.example', '--no-forward', '--no-vacation');
  const back = await attributes('dave');
  assert.deepEqual(back['mailDeliveryOption'], ['mailbox']);
  assert.equal(back['mailForwardingAddress'] ?? back['vacationStartDate'] ?? back['vacationEndDate'], undefined);
  for (const [quota, words] of [
    ['2G', 'may hold 2G octets'],
    ['0', 'takes no mail: 0 octets'],
    ['-1', 'may hold any number of octets'],
  ] as const) {
    await waypost('user', 'set', 'dave@acme.example', '--quota', quota);
    assert.deepEqual((await attributes('dave'))['mailQuota'], [quota]);
    const shown = await waypost('user', 'show', 'dave@acme.example');
    assert.ok(shown.includes(`# the mailbox ${words}\n`), shown);
  }
  await waypost('user', 'set', 'dave@acme.example', '--quota', '2G', '--message-quota', '5000');
  const both = await waypost('user', 'show', 'dave@acme.example');
  for (const words of ['2G octets', '5000 messages'])
    assert.ok(both.includes(`# the mailbox may hold ${words}\n`), both);
  for (const address of ['dave@acme.example', 'dave+news@acme.example'])
    assert.match(await waypost('route', address), /^quota +dave\S*: \d+ of 2147483648 octets, \d+ of 5000 messages$/m);
  const [told] = JSON.parse(await waypost('route', 'dave@acme.example', '--json')).quotas;
  assert.deepEqual(Object.keys(told), ['recipient', 'octets', 'messages', 'used']);
  await waypost('user', 'set', 'dave@acme.example', '--quota', '-2', '--message-quota', '-2');
  assert.doesNotMatch(await waypost('route', 'dave@acme.example'), /^quota/m);
  assert.doesNotMatch(await waypost('user', 'show', 'dave@acme.example'), /# the mailbox/);
  for (const wrong of [
    ['--quota', '2T'],
    ['--quota', 'G'],
    ['--message-quota', 'many'],
    ['--forward', '|cmd'],
    ['--vacation-from', 'tomorrow', '--vacation-text', 'x'],
    [],
    ['--vacation-from', '2027-01-03', '--vacation-until', '2026-12-20', '--vacation-text', 'x'],
  ])
    await assert.rejects(waypost('user', 'set', 'dave@acme.example', ...wrong), wrong.join(' '));
});
