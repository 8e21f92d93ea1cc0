// Two started programs with one directory: what is written at either is routable at both when it is acknowledged.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Attribute, Change, Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { ADMINISTRATOR, addDomain, addUser, administrator, PASSWORD, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const [MX1, MX2] = ['mx1.hosts.example', 'mx2.hosts.example'] as const;
const MESSAGE = Buffer.from('From: carol@remote.example\r\nSubject: hello\r\n\r\ntext\r\n');
const hostDn = (name: string): string => `cn=${name},ou=Hosts,ou=Waypost,o=internet`;

let mx1: Waypost;
let mx2: Waypost;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-second-'));
  mx1 = await startWaypost({ env: { WAYPOST_HOSTNAME: MX1, WAYPOST_LISTEN: '127.0.0.2' } });
  const added = await new AdminClient(mx1.data).call('host.add', { name: MX2 });
  writeFileSync(join(folder, 'password'), added.password!);
  const first = await administrator(mx1);
  await addDomain(first, 'acme.example');
  await addUser(first, 'ann@acme.example');
  await first.unbind();
  mx2 = await startWaypost({ config: replicaConfig(), env: { WAYPOST_HOSTNAME: MX2, WAYPOST_LISTEN: '127.0.0.3' } });
  await Promise.all([tellPort(mx1, MX1), tellPort(mx2, MX2)]);
});
after(async () => {
  await mx2?.stop();
  await mx1?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function replicaConfig(): string {
  const { host, port } = mx1.listeners.ldap;
  return `[directory]\nprovider = "ldap://${host}:${port}"\npassword-file = "${join(folder, 'password')}"\n`;
}

/** Its SMTP listener has a free port. */
async function tellPort({ listeners }: Waypost, name: string): Promise<void> {
  const client = await administrator(mx1);
  const modification = new Attribute({ type: 'waypostHostPort', values: [String(listeners.smtp.port)] });
  await client.modify(hostDn(name), new Change({ operation: 'replace', modification }));
  await client.unbind();
}

/** The administrator at mx2, who has no file of the password there. */
async function manager(server: Waypost): Promise<Client> {
  if (server === mx1) return administrator(mx1);
  const { host, port } = server.listeners.ldap;
  const client = new Client({ url: `ldap://${host}:${port}` });
  await client.bind(ADMINISTRATOR, mx1.ldap.password);
  return client;
}

async function rcpt(server: Waypost, address: string): Promise<number> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  const { code } = await client.command(`RCPT TO:<${address}>`);
  await client.quit();
  return code;
}

async function digest(server: Waypost): Promise<unknown> {
  return new AdminClient(server.data).call('sync.digest', {});
}

test('ldapadd on either, and at once RCPT at either is accepted; a removal likewise', async () => {
  let number = 0;
  for (const writer of [mx1, mx2]) {
    const client = await manager(writer);
    for (let i = 0; i < 5; i++) {
      const address = `n${++number}@acme.example`;
      await addUser(client, address);
      assert.deepEqual(await Promise.all([rcpt(mx1, address), rcpt(mx2, address)]), [250, 250], address);
      await client.del(userDn(address));
      // Where it was removed, at once; at the other it was there a moment ago.
      assert.equal(await rcpt(writer, address), 550, address);
      await until('the removal', async () => (await rcpt(writer === mx1 ? mx2 : mx1, address)) === 550);
    }
    await client.unbind();
  }
  assert.deepEqual(await digest(mx2), await digest(mx1));
});

test('logins work on both, and each stores whose mailHost names it', async () => {
  const client = await manager(mx2);
  await addUser(client, 'bob@acme.example', { mailHost: MX2 });
  await client.unbind();
  for (const [server, login] of [
    [mx1, 'ann@acme.example'],
    [mx2, 'bob@acme.example'],
  ] as const) {
    const smtp = await SmtpClient.open(server.listeners.submission, { login, password: PASSWORD });
    await smtp.send(login, ['ann@acme.example', 'bob@acme.example'], MESSAGE);
    await smtp.quit();
  }
  assert.equal(await arrived(mx1, 'ann@acme.example', 2), 2);
  assert.equal(await arrived(mx2, 'bob@acme.example', 2), 2);
});

/** Looks every 50 ms. */
async function arrived(server: Waypost, login: string, count: number): Promise<number> {
  for (let tries = 0; ; tries++) {
    const imap = await ImapClient.login(server.listeners.imap, login, PASSWORD);
    const messages = await imap.fetchAll();
    await imap.logout();
    if (messages.length >= count || tries > 400) return messages.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
