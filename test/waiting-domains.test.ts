// Domains that wait for a word, on the started program: proposed, approved, refused, and mail that is kept until then.
//
// In      policies (LDAP), SMTP to names that nobody has defined, a resolver of the test's own, the commands of `waypost domain`
// Out     replies, pending entries, mailboxes; what a kill leaves

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { domainTokenText } from '../src/provisioning/domain-token.ts';
import { addDomain, addUser, administrator, domainDn, PASSWORD, type Person } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { v2 } from './support/proxy-header.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const US = 'mail.waypost.example';
/** Passes on clients of whatever address. */
const PROXY = '127.0.0.99';
const SECRET = 'a secret of ours';
const MESSAGE = 'Subject: first\r\n\r\nThe whole of it.\r\n';

let server: Waypost;
let resolver: DnsTestServer;
let ldap: Client;
let ann: Person;

before(async () => {
  resolver = await DnsTestServer.start('127.0.0.2');
  server = await startWaypost({
    config: `resolver = ["${resolver.server}"]\nthreads = 2\n[proxy]\ntrusted = ["${PROXY}/32"]\nlisteners = ["smtp"]\n`,
  });
  ldap = await administrator(server);
  await addDomain(ldap, 'acme.example');
  ann = await addUser(ldap, 'ann@acme.example');
  const hash = new Attribute({ type: 'userPassword', values: [PASSWORD] });
  await ldap.modify('uid=postmaster,ou=Waypost,o=internet', new Change({ operation: 'replace', modification: hash }));
  const catchall = { mailDomainCatchallAddress: 'ann@acme.example' };
  await addPolicy('shown', { waypostMatchDomain: '*.p.acme.example', waypostPolicyAction: 'propose', ...catchall });
  await addPolicy('asked', { waypostMatchDomain: '*.a.acme.example', waypostPolicyAction: 'approve', ...catchall });
  await addPolicy('kept', {
    waypostMatchDomain: '*.c.acme.example',
    waypostPolicyAction: 'approve',
    waypostCustody: 'TRUE',
    ...catchall,
  });
  await addPolicy('signed', {
    waypostMatchDomain: '*.t.acme.example',
    waypostPolicyAction: 'auto',
    waypostMatchToken: SECRET,
    ...catchall,
  });
});
after(async () => {
  await ldap?.unbind().catch(() => {});
  await server?.stop();
  await resolver?.close();
});

async function addPolicy(name: string, values: Record<string, string>): Promise<void> {
  await ldap.add(`cn=${name},ou=Policies,ou=Waypost,o=internet`, {
    objectClass: 'waypostDomainPolicy',
    cn: name,
    ...values,
  });
}

async function cli(...words: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn('./waypost', [...words, '--data', server.data]);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

/** `client`: an IPv6 address, eight groups, that the proxy passes on. */
async function rcpt(address: string, client?: string): Promise<string> {
  const { host, port } = server.listeners.smtp;
  const connection = await LineConnection.open(host, port, client === undefined ? '127.0.0.1' : PROXY);
  if (client !== undefined) {
    const source = client.split(':').map((group) => group.padStart(4, '0'));
    connection.write(v2({ start: '2121', source: `${source.join('')}${'20010db8'.padEnd(31, '0')}1dc040019` }));
  }
  connection.write('HELO client.example\r\nMAIL FROM:<rex@remote.example>\r\n');
  for (let i = 0; i < 3; i++) await connection.line();
  connection.write(`RCPT TO:<${address}>\r\n`);
  const reply = await connection.line();
  connection.destroy();
  return reply;
}

async function send(to: string, login?: Person): Promise<void> {
  const client = await SmtpClient.open(
    login === undefined ? server.listeners.smtp : server.listeners.submission,
    login,
  );
  const reply = await client.send(login?.login ?? 'rex@remote.example', [to], Buffer.from(MESSAGE));
  assert.equal(reply.code, 250);
  await client.quit();
}

async function messagesOf(login: string): Promise<number> {
  const client = await ImapClient.login(server.listeners.imap, login, PASSWORD);
  const count = await client.count();
  await client.logout();
  return count;
}

const admin = () => new AdminClient(server.data);
const pending = async () => admin().call('domain.pending', {});
const queue = async () => admin().call('queue.list', {});

test('a proposed name is refused, and shown with what was found', async () => {
  const name = 'new.p.acme.example';
  resolver.mx(name, [10, US], [20, 'backup.example']);
  for (let at = 0; at < 3; at++) assert.match(await rcpt(`x@${name}`), /^550 5\.7\.1 /);
  const { code, stdout } = await cli('domain', 'pending', '--json');
  assert.equal(code, 0);
  const [shown, ...more] = JSON.parse(stdout) as Record<string, unknown>[];
  assert.deepEqual(more, []);
  assert.deepEqual(Object.keys(shown!), ['domain', 'action', 'policy', 'firstSeen', 'lastSeen', 'seen', 'evidence']);
  assert.deepEqual(
    [shown!['domain'], shown!['action'], shown!['policy'], shown!['seen']],
    [name, 'propose', 'shown', 1],
  );
  const { mx, peer, sender, asked } = shown!['evidence'] as Record<string, unknown>;
  assert.deepEqual(
    [mx, peer, sender, asked],
    [[`10 ${US}`, '20 backup.example'], '127.0.0.1', 'rex@remote.example', 'resolver'],
  );
  assert.match(
    (await cli('domain', 'pending')).stdout,
    /^new\.p\.acme\.example {2}propose {2}shown .*10 mail\.waypost\.example, 20 backup\.example$/m,
  );
  resolver.mx('other.p.acme.example', [10, 'elsewhere.example']);
  assert.match(await rcpt('x@other.p.acme.example'), /^550 5\.7\.1 /);
  assert.equal((await pending()).length, 1, 'what is not ours is not shown');
});

test('approved: the client’s next try is let in, with what the policy says of the new domain', async () => {
  const name = 'new.a.acme.example';
  resolver.mx(name, [10, US], [20, 'backup.example']);
  assert.match(await rcpt(`x@${name}`), /^451 4\.3\.2 .*approval/);
  const would = await cli('domain', 'approve', name, '--dry-run');
  assert.match(would.stdout, /^would be added {2}dc=new,dc=a,/m);
  assert.match(await rcpt(`x@${name}`), /^451 4\.3\.2 /);
  const done = await cli('domain', 'approve', name);
  assert.equal(done.code, 0, done.stderr);
  assert.match(await rcpt(`x@${name}`), /^250 /);
  const { searchEntries } = await ldap.search(domainDn(name), { scope: 'base', attributes: ['*', '+'] });
  const entry = searchEntries[0]!;
  assert.equal(entry['waypostDomainOrigin'], 'message');
  assert.equal(entry['mailDomainCatchallAddress'], 'ann@acme.example');
  assert.equal(entry['mXRecord'], '20 backup.example.');
  assert.deepEqual(JSON.parse(String(entry['waypostDomainEvidence'])).mx, [`10 ${US}`, '20 backup.example']);
  assert.deepEqual(
    (await pending()).map(({ domain }) => domain),
    ['new.p.acme.example'],
  );
  assert.equal((await cli('domain', 'approve', name)).code, 1);
});

test('refused: a tombstone, 550, and it is pending no more', async () => {
  const name = 'bad.a.acme.example';
  resolver.mx(name, [10, US]);
  assert.match(await rcpt(`x@${name}`), /^451 /);
  assert.equal((await cli('domain', 'refuse', name, '--json')).code, 0);
  assert.match(await rcpt(`x@${name}`), /^550 5\.7\.1 /);
  assert.deepEqual(
    (await pending()).map(({ domain }) => domain),
    ['new.p.acme.example'],
  );
  assert.equal((await cli('domain', 'refuse', name)).code, 1);
});

test('the record of a token is printed for one name, and no command says the token', async () => {
  const name = 'new.t.acme.example';
  resolver.mx(name, [10, US]);
  assert.match(await rcpt(`x@${name}`), /^550 /);
  const { code, stdout } = await cli('domain', 'token', 'signed', name);
  assert.equal(code, 0);
  const text = domainTokenText(SECRET, name);
  assert.equal(stdout, `_waypost.${name}. IN TXT "${text}"\n`);
  assert.ok(!(await cli('domain', 'token', 'signed', name, '--json')).stdout.includes(SECRET));
  const other = await cli('domain', 'token', 'shown', name);
  assert.deepEqual([other.code, other.stdout], [1, '']);
  assert.match(other.stderr, /has no waypostMatchToken/);
});

test('custody: a message that was taken survives a kill, and is delivered once when its domain is approved', async () => {
  const name = 'new.c.acme.example';
  resolver.mx(name, [10, US]);
  const before = await messagesOf(ann.login);
  await send(`hello@${name}`);
  await server.kill9();
  await server.restart();
  ldap = await administrator(server);
  await until('the queue is read', async () => (await queue()).length === 1);
  const [row] = await queue();
  assert.deepEqual(
    [row!.channel, row!.state, row!.heldBy, row!.waitsFor],
    ['hold', 'held', 'custody', `route ${name}`],
  );
  assert.match((await cli('queue', 'list', '--held-by', 'custody')).stdout, /held by custody/);
  assert.equal((await cli('domain', 'approve', name)).code, 0);
  await until('it is delivered', async () => (await queue()).length === 0);
  assert.equal(await messagesOf(ann.login), before + 1);
});

test('custody: what is refused goes whole to the site postmaster, and nothing to its sender', async () => {
  const name = 'bad.c.acme.example';
  resolver.mx(name, [10, US]);
  const before = await messagesOf('postmaster');
  await send(`hello@${name}`);
  assert.equal((await cli('domain', 'refuse', name)).code, 0);
  await until('the queue is empty', async () => (await queue()).length === 0);
  assert.equal(await messagesOf('postmaster'), before + 1);
  const client = await ImapClient.login(server.listeners.imap, 'postmaster', PASSWORD);
  assert.ok((await client.fetchAll()).at(-1)!.body.toString().endsWith(MESSAGE));
  await client.logout();
});

test('custody: twenty messages of a domain, then 451; who has logged in sends to the world', async () => {
  const name = 'much.c.acme.example';
  resolver.mx(name, [10, US]);
  for (let at = 0; at < 20; at++) await send(`hello@${name}`);
  assert.match(await rcpt(`hello@${name}`), /^451 4\.3\.2 Too much mail/);
  await send(`hello@${name}`, ann);
  const rows = await queue();
  assert.equal(rows.filter(({ heldBy }) => heldBy === 'custody').length, 20);
  assert.deepEqual(
    rows.filter(({ heldBy }) => heldBy === null).map(({ channel }) => channel),
    ['smtp'],
  );
});

test('an IPv6 /64 is one peer: sixty new names of it an hour, whatever its addresses; another one has its own', async () => {
  const began = performance.now();
  const ask = (at: number): Promise<string> => {
    const name = `v${at}.a.acme.example`;
    resolver.mx(name, [10, US]);
    return rcpt(`x@${name}`, `2001:db8:0:1:0:0:${at.toString(16)}:${at + 1}`);
  };
  let asked = 0;
  let said = await ask(0);
  for (; said.startsWith('451 4.3.2 '); said = await ask(asked)) asked++;
  assert.match(said, /^451 4\.7\.1 /);
  // One a minute comes back.
  const back = Math.ceil((performance.now() - began) / 60_000);
  assert.ok(asked >= 60 && asked <= 60 + back, `${asked} were asked for`);
  assert.match(await rcpt(`x@v${asked}.a.acme.example`, '2001:db8:0:2:0:0:0:1'), /^451 4\.3\.2 /);
});
