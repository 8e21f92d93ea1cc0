// Two servers with one directory: each has some of a domain's people, and mail finds them, also when they move while it waits.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, PASSWORD, replaceAttribute, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const OWN = 'ou=Waypost,o=internet';
const NAMES = ['one.mail.example', 'two.mail.example'] as const;
const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const SMTP_CHANNEL = `cn=smtp,ou=Channels,${OWN}`;

let servers: readonly [Waypost, Waypost];
let directories: readonly Client[];

/** As replication would have it: the same change on both. */
const onBoth = async (change: (client: Client) => Promise<unknown>): Promise<void> => {
  for (const client of directories) await change(client);
};

before(async () => {
  const start = (hostname: string, address: string): Promise<Waypost> =>
    startWaypost({
      config: '[queue]\nretry = ["1s"]\n',
      env: { WAYPOST_HOSTNAME: hostname, WAYPOST_LISTEN: address },
    });
  servers = await Promise.all([start(NAMES[0], '127.0.0.4'), start(NAMES[1], '127.0.0.5')]);
  directories = await Promise.all(servers.map((server) => administrator(server)));
  await onBoth(async (client) => {
    for (const [index, name] of NAMES.entries()) {
      const { host, port } = servers[index]!.listeners.smtp;
      const where = { waypostHostAddress: host, waypostHostPort: String(port) };
      // A host's own entry is there from the start.
      const dn = `cn=${name},ou=Hosts,${OWN}`;
      await client.add(dn, { objectClass: 'waypostHost', cn: name, ...where }).catch(async () => {
        for (const [type, value] of Object.entries(where)) await replaceAttribute(client, dn, type, [value]);
      });
    }
    await addDomain(client, 'acme.example');
    await addUser(client, ANN, { mailHost: NAMES[0] });
    await addUser(client, BOB, { mailHost: NAMES[1] });
  });
});

after(async () => {
  for (const client of directories ?? []) await client.unbind();
  for (const server of servers ?? []) await server.stop();
});

async function submit(server: Waypost, id: string, ...to: readonly string[]): Promise<void> {
  const client = await SmtpClient.open(server.listeners.submission, { login: ANN, password: PASSWORD });
  await client.send(ANN, to, Buffer.from(`Message-ID: <${id}>\r\nSubject: ${id}\r\n\r\nhello\r\n`));
  await client.quit();
}

async function inbox(server: Waypost, login: string): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, login, PASSWORD);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => /^Subject: (\S+)\r\n/m.exec(body.toString('latin1'))?.[1] ?? '');
}

const queue = (server: Waypost) => new AdminClient(server.data).call('queue.list', {});

test('one message reaches ann here and bob there', async () => {
  const [one, two] = servers;
  await submit(one, 'both', ANN, BOB);
  await until('bob has it', async () => (await inbox(two, BOB)).includes('both'));
  assert.deepEqual(await inbox(one, ANN), ['both']);
  assert.deepEqual(await inbox(two, BOB), ['both']);
  const trace = await new AdminClient(two.data).call('trace', { what: 'both' });
  assert.deepEqual(
    trace.map(({ event, recipient }) => `${event} ${recipient}`),
    [`accepted ${BOB}`, `delivered ${BOB}`],
  );
  await until('its row is gone', async () => (await queue(one)).length === 0);
});

test('a channel is paused, bob moves, the channel is resumed: what waited is in his new INBOX', async () => {
  const [one] = servers;
  const admin = new AdminClient(one.data);
  await admin.call('channel.pause', { name: 'smtp' });
  await submit(one, 'moved', BOB);
  assert.deepEqual(
    (await queue(one)).map(({ destination, attempts }) => [destination, attempts]),
    [[`[${NAMES[1]}]`, 0]],
  );
  await onBoth((client) => replaceAttribute(client, userDn(BOB), 'mailHost', [NAMES[0]]));
  await admin.call('channel.resume', { name: 'smtp' });
  await until('bob has it', async () => (await inbox(one, BOB)).includes('moved'));
  assert.deepEqual(await inbox(one, BOB), ['moved']);
  assert.deepEqual(await queue(one), []);
  const trace = await admin.call('trace', { what: 'moved' });
  assert.ok(trace.some(({ event }) => event === 'rerouted'));
});

test('hold: the client hears 250, the queue shows what it waits for, and it arrives by itself', async () => {
  const [one] = servers;
  await onBoth((client) => replaceAttribute(client, userDn(BOB), 'mailUserStatus', ['hold']));
  await submit(one, 'held', BOB);
  const [row] = await queue(one);
  assert.deepEqual([row?.channel, row?.state, row?.waitsFor], ['hold', 'held', `entry ${userDn(BOB).toLowerCase()}`]);
  await one.kill9();
  await one.restart();
  assert.equal((await queue(one)).length, 1);
  const client = await administrator(one);
  await until('it is held still', async () => (await queue(one))[0]?.state === 'held');
  await replaceAttribute(client, userDn(BOB), 'mailUserStatus', ['active']);
  await until('bob has it', async () => (await inbox(one, BOB)).includes('held'));
  assert.deepEqual((await inbox(one, BOB)).sort(), ['held', 'moved']);
  await client.unbind();
});

test('channels by LDAP: 19 with the word; a word acts on the next RCPT', async () => {
  const [one] = servers;
  const client = await administrator(one);
  const refused = (message: RegExp) => (error: Error) => message.test(error.message);
  const add = (name: string, kind: string, ...waypostKeyword: string[]) =>
    client.add(`cn=${name},ou=Channels,${OWN}`, {
      objectClass: 'waypostChannel',
      cn: name,
      waypostChannelKind: kind,
      waypostKeyword,
    });
  await assert.rejects(add('partner', 'smtp', 'subdirs 20'), refused(/unknown keyword subdirs.*Code: 0x13/s));
  await assert.rejects(add('partner', 'smtp', 'mx', 'nomx'), refused(/nomx.*Code: 0x13/s));
  await add('partner', 'smtp', 'port 2525');
  const list = await new AdminClient(one.data).call('channel.list', {});
  assert.deepEqual(
    list.filter(({ source }) => source === 'entry').map(({ name, keywords }) => [name, keywords]),
    [
      ['partner', ['port 2525']],
      ['smtp', []],
    ],
  );
  await replaceAttribute(client, SMTP_CHANNEL, 'waypostKeyword', ['blocklimit 1KiB']);
  const smtp = await SmtpClient.open(one.listeners.submission, { login: ANN, password: PASSWORD });
  await smtp.command(`MAIL FROM:<${ANN}> SIZE=1025`);
  assert.deepEqual((await smtp.command('RCPT TO:<rex@remote.example>')).code, 552);
  assert.deepEqual((await smtp.command(`RCPT TO:<${ANN}>`)).code, 250);
  await smtp.quit();
  await client.del(`cn=partner,ou=Channels,${OWN}`);
  await client.del(SMTP_CHANNEL);
  await client.unbind();
});
