// The seed's claims 1 to 4 and 9 to 18, one test each, on the started program. Claims 5 to 8 and 19: docs/seed.md.
//
// In      three messages, each to a domain that nobody has defined; the MX records that the resolver gives for them
// Out     what the claim says is there, seen from outside: by LDAP, DNS, SMTP, IMAP, and the commands
// The method (1 to 4, 9) is shown with one message, the system (10 to 13) with the second; the program (14 to 18) with the
// third, after it was killed and started again from its files.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { DnsClient } from '../src/net/dns-client.ts';
import type { RecordType } from '../src/wire/dns/codes.ts';
import { rdataText } from '../src/wire/dns/text.ts';
import { addDomain, addUser, administrator, domainDn, type Person } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { rowsRead } from './support/metrics.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const US = 'mail.waypost.example';

let dns: DnsTestServer;
let server: Waypost;
let ldap: Client;
let ann: Person;
let admin: AdminClient;
const ask = new DnsClient({ servers: [] });

before(async () => {
  dns = await DnsTestServer.start('127.0.0.2');
  const config = `resolver = ["${dns.server}"]\nthreads = 1\n[provision]\nfrom-mx = "auto"\n`;
  server = await startWaypost({ config });
  ldap = await administrator(server);
  await addDomain(ldap, 'acme.example', { mailDomainCatchallAddress: 'ann@acme.example' });
  ann = await addUser(ldap, 'ann@acme.example');
  admin = new AdminClient(server.data);
});
after(async () => {
  ask.close();
  await ldap?.unbind();
  await server?.stop();
  await dns?.close();
});

/** The entry of the domain's node with all its attributes, null where there is none. */
async function entryOf(domain: string): Promise<Readonly<Record<string, unknown>> | null> {
  const found = await ldap
    .search(domainDn(domain), { scope: 'base', attributes: ['*', '+'] })
    .catch((error: Error) => error);
  if (!(found instanceof Error)) return found.searchEntries[0] ?? null;
  assert.match(String(found), /NoSuchObject|no such object/i);
  return null;
}

/** Of our own name server. */
async function records(name: string, type: RecordType): Promise<readonly string[]> {
  const { host, port } = server.listeners.dns;
  const reply = await ask.ask(name, type, { servers: [{ address: host, port }] });
  assert.ok(!('unavailable' in reply), name);
  return reply.rcode === 3 ? ['NXDOMAIN'] : reply.answers.map(rdataText).sort();
}

interface Step {
  readonly number?: number;
  readonly step: string;
  readonly detail: string;
}

/** What the server has written down about the domain's arrival: soon, not with the reply. */
async function stepsOf(domain: string): Promise<{ readonly identified: boolean; readonly steps: readonly Step[] }> {
  const found = () =>
    server
      .stderr()
      .split('\n')
      .findLast((each) => each.includes('"provisioning.arrive"') && each.includes(`"${domain}"`));
  await until(`${domain} in the log`, () => found() !== undefined);
  const { identified, steps } = JSON.parse(found()!);
  return { identified, steps };
}

async function inboxOfAnn(): Promise<readonly string[]> {
  const client = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

/** What was there before the message and what is there after it. */
async function bring(domain: string, ...mx: (readonly [preference: number, exchange: string])[]) {
  const between = domain.slice(domain.indexOf('.') + 1);
  dns.mx(domain, ...mx);
  const was = {
    parent: await entryOf('acme.example'),
    between: await entryOf(between),
    domain: await entryOf(domain),
    mx: await records(domain, 'MX'),
    route: await admin.call('route', { address: `sales@${domain}` }),
    asked: dns.queries.length,
  };
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.send('carol@remote.example', [`sales@${domain}`], Buffer.from(`Subject: to ${domain}\r\n\r\nhello\r\n`));
  await client.quit();
  return {
    was,
    domain: await entryOf(domain),
    between: await entryOf(between),
    parent: await entryOf('acme.example'),
    mx: await records(domain, 'MX'),
    route: await admin.call('route', { address: `sales@${domain}` }),
    asked: dns.queries.slice(was.asked),
    ...(await stepsOf(domain)),
    messages: (await inboxOfAnn()).filter((text) => text.includes(`Subject: to ${domain}\r\n`)),
    trace: await admin.call('trace', { what: `sales@${domain}` }),
  };
}
type Brought = Awaited<ReturnType<typeof bring>>;

/** An entry for each component that had none, the others as they were. */
function assertEntries({ was, domain, between, parent }: Brought): void {
  assert.deepEqual([was.domain, was.between], [null, null]);
  assert.deepEqual(between?.['objectClass'], ['domain', 'top']);
  assert.ok([domain?.['objectClass']].flat().includes('mailDomain'));
  assert.equal(domain?.['waypostDomainOrigin'], 'message');
  assert.deepEqual(parent, was.parent, 'what was there already is not touched');
}

/** The record of the name server comes from the entry: it goes with it, and tells what the entry tells. */
function assertRecord({ was, mx }: Brought): void {
  assert.deepEqual(was.mx, ['NXDOMAIN']);
  assert.ok(mx.includes(`10 ${US}.`), mx.join());
}

function assertIdentified({ identified, steps, mx, route }: Brought): void {
  assert.deepEqual(
    steps.map(({ step }) => step),
    ['name received', 'evidence', 'entries made', 'record served and observed'],
  );
  // What was observed is what the name server says.
  assert.ok(steps.at(-1)!.detail.includes(` MX ${US}`) && mx.includes(`10 ${US}.`));
  assert.equal(identified, true);
  assert.equal(route.reply, '250 2.1.5 Recipient ok');
}

function assertRoutingTable({ was, route }: Brought, domain: string): void {
  const said = ({ steps }: typeof route) =>
    steps.filter(({ step }) => step === 'routing table').map(({ detail }) => detail);
  assert.match(said(was.route)[0]!, /is not a mail domain of ours/);
  assert.equal(said(route)[0], `${domain} is a mail domain, base ${domainDn(domain)}`);
}

/** The channel that the table names has taken the message to the subscriber. */
function assertDelivered({ route, messages, trace }: Brought): void {
  assert.deepEqual(
    route.targets.map(({ channel, nexthop }) => [channel, nexthop]),
    [['store', US]],
  );
  assert.equal(messages.length, 1);
  const events = trace.map(({ event }) => event);
  assert.deepEqual(events, ['accepted', 'delivered']);
}

/** Nothing is identified that the table would refuse, whatever DNS says. */
async function assertTableHasASay(domain: string): Promise<void> {
  dns.mx(`x.${domain}`, [10, US]);
  await addDomain(ldap, domain);
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  assert.equal((await client.command(`RCPT TO:<sales@x.${domain}>`)).code, 550);
  await client.quit();
  assert.equal((await stepsOf(`x.${domain}`)).identified, false);
  assert.equal(await entryOf(`x.${domain}`), null);
}

describe('the method', () => {
  const domain = 'a.b.acme.example';
  let brought: Brought;
  before(async () => {
    brought = await bring(domain, [10, US], [20, 'backup.elsewhere.example']);
  });

  test('claim 1: a new name comes with a message; its components have entries, the name server its record, and by that it is identified', () => {
    assertEntries(brought);
    assertRecord(brought);
    assertIdentified(brought);
  });

  test('claim 2: the routing table is made from the entry', async () => {
    assertRoutingTable(brought, domain);
    assert.equal((await admin.call('sync.verify', {})).differences.length, 0);
  });

  test('claim 3: the routing table has a say in what is identified', () => assertTableHasASay('method.example'));

  test('claim 4: the transfer unit delivers the message by the channel that the table names', () => {
    assertDelivered(brought);
  });

  test('claim 9: the entry is made on the evidence of the MX record of the message’s domain, and without it none', async () => {
    assert.ok(brought.asked.some(({ name, type }) => name === domain && type === 'MX'));
    const evidence = JSON.parse(String(brought.domain?.['waypostDomainEvidence']));
    assert.deepEqual(evidence.mx, [`10 ${US}`, '20 backup.elsewhere.example']);
    dns.mx('other.acme.example', [10, 'mx.elsewhere.example']);
    const client = await SmtpClient.open(server.listeners.smtp);
    await client.command('MAIL FROM:<carol@remote.example>');
    assert.equal((await client.command('RCPT TO:<sales@other.acme.example>')).code, 550);
    await client.quit();
    assert.equal(await entryOf('other.acme.example'), null);
  });
});

describe('the system', () => {
  const domain = 'c.d.acme.example';
  let brought: Brought;
  before(async () => {
    brought = await bring(domain, [10, US], [20, 'backup.elsewhere.example']);
  });

  test('claim 10: a messaging server and a directory server, which says by user and domain where the subscriber is, of a new domain too', async () => {
    assertEntries(brought);
    assertRecord(brought);
    assertIdentified(brought);
    const known = await admin.call('route', { address: ann.login });
    assert.deepEqual(
      brought.route.targets.map(({ channel, recipient }) => [channel, recipient]),
      known.targets.map(({ channel, recipient }) => [channel, recipient]),
    );
  });

  test('claim 11: the messaging server makes its routing table from the entry', () => {
    assertRoutingTable(brought, domain);
  });

  test('claim 12: the record follows the MX record of the message’s domain: its other hosts stay', () => {
    assert.deepEqual(brought.mx, [`10 ${US}.`, '20 backup.elsewhere.example.']);
    assert.deepEqual(brought.domain?.['mXRecord'], '20 backup.elsewhere.example.');
  });

  test('claim 13: its transfer unit forwards the message to the subscriber by a channel of that table', () => {
    assertDelivered(brought);
  });
});

describe('the program', () => {
  const domain = 'e.f.acme.example';
  let brought: Brought;
  before(async () => {
    await ldap.unbind();
    await server.kill9();
    await server.restart();
    ldap = await administrator(server);
    brought = await bring(domain, [10, US]);
  });

  test('claim 14: started from its files, it receives the name, makes entries and record, and identifies the domain', async () => {
    assertEntries(brought);
    assertRecord(brought);
    assertIdentified(brought);
    for (const earlier of ['a.b.acme.example', 'c.d.acme.example'])
      assert.ok((await records(earlier, 'MX')).includes(`10 ${US}.`), 'and knows what it has identified before');
  });

  test('claim 15: it makes the routing table from the entry', () => {
    assertRoutingTable(brought, domain);
  });

  test('claim 16: the routing table has a say in what it identifies', () => assertTableHasASay('program.example'));

  test('claim 17: its transfer unit delivers the message by the channel that the table names', () => {
    assertDelivered(brought);
  });

  test('claim 18: it keeps the entries most recently used: asked again, the tables are not read', async () => {
    const client = await SmtpClient.open(server.listeners.smtp);
    const again = async () => {
      await client.command('MAIL FROM:<carol@remote.example>');
      assert.equal((await client.command(`RCPT TO:<sales@${domain}>`)).code, 250);
      await client.command('RSET');
    };
    await again();
    const before = await rowsRead(server);
    for (let count = 0; count < 20; count++) await again();
    assert.equal(await rowsRead(server), before);
    await client.quit();
  });
});
