// Policies of domains that messages bring, on the started program: what RCPT says in each mode, to strangers and to who has
// logged in, before and after a restart; authoritative servers of others that must say so; what a crowd of names costs.
//
// In      SMTP to names that nobody has defined; a resolver and name servers of the test's own, the latter on port 53
// Out     replies, entries, `route`

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { DnsClient } from '../src/net/dns-client.ts';
import { domainTokenText } from '../src/provisioning/domain-token.ts';
import type { TsigKey } from '../src/wire/dns/tsig.ts';
import { Bind } from './support/bind.ts';
import { addDomain, addUser, administrator, domainDn, type Person } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const US = 'mail.waypost.example';
const NAME_SERVERS = ['127.0.53.1', '127.0.53.2'];
const SILENT_SERVER = '127.0.53.3';
const KEY: TsigKey = { name: 'update.example', algorithm: 'hmac-sha256', secret: Buffer.alloc(32, 7) };
const ZONE = `$TTL 300
@ IN SOA ns.isp.example. hostmaster.isp.example. 1 3600 600 86400 300
@ IN NS ns.isp.example.
ns IN A 127.0.0.1
x IN MX 5 ${US}.
x IN MX 7 backup.example.
`;
const CATCHALL = 'ann@acme.example';

let server: Waypost;
let resolver: DnsTestServer;
let ldap: Client;
let ann: Person;
/** Empty where this account may not listen on port 53. */
let nameServers: DnsTestServer[] = [];

before(async () => {
  resolver = await DnsTestServer.start('127.0.0.2');
  try {
    for (const address of NAME_SERVERS) nameServers.push(await DnsTestServer.start(address, 53));
  } catch {
    for (const each of nameServers) await each.close();
    nameServers = [];
  }
  for (const each of nameServers) each.isAuthoritative = true;
  server = await startWaypost({ config: `resolver = ["${resolver.server}"]\nthreads = 2\n` });
  ldap = await administrator(server);
  await addDomain(ldap, 'acme.example', { mailDomainCatchallAddress: CATCHALL });
  ann = await addUser(ldap, CATCHALL);
  await addPolicy('below', { waypostPolicyAction: 'auto', waypostMatchParent: 'TRUE', waypostPolicyOrder: '50' });
});
after(async () => {
  await ldap.unbind();
  await server.stop();
  for (const each of [resolver, ...nameServers]) await each.close();
});

function replaced(type: string, value: string): Change {
  return new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] }) });
}

const policyDn = (name: string): string => `cn=${name},ou=Policies,ou=Waypost,o=internet`;

async function addPolicy(name: string, values: Record<string, string | string[]>): Promise<void> {
  await ldap.add(policyDn(name), { objectClass: 'waypostDomainPolicy', cn: name, ...values });
}

async function rcpt(address: string): Promise<string> {
  const { host, port } = server.listeners.smtp;
  const connection = await LineConnection.open(host, port);
  connection.write('HELO client.example\r\nMAIL FROM:<>\r\n');
  for (let i = 0; i < 3; i++) await connection.line();
  connection.write(`RCPT TO:<${address}>\r\n`);
  const reply = await connection.line();
  connection.destroy();
  return reply;
}

async function arrivalStep(address: string, revision?: number): Promise<string | undefined> {
  const asked = { address, ...(revision === undefined ? {} : { revision }) };
  const { steps } = await new AdminClient(server.data).call('route', asked);
  return steps.find(({ step }) => step === 'arrival')?.detail;
}

async function revision(): Promise<number> {
  return (await new AdminClient(server.data).call('status', {})).revision;
}

async function valueAt(domain: string, attribute: string): Promise<string | undefined> {
  const { searchEntries } = await ldap.search(domainDn(domain), { scope: 'base', attributes: [attribute] });
  const value = searchEntries[0]?.[attribute];
  return value === undefined || value.length === 0 ? undefined : String(value);
}

/** A zone of its own at these servers; `silent`: one of its servers is never there. */
function delegate(domain: string, options: { silent?: boolean; servers?: readonly string[] } = {}): void {
  const addresses = [...(options.servers ?? NAME_SERVERS), ...(options.silent === true ? [SILENT_SERVER] : [])];
  resolver.script(domain, 'NS', { records: [{ type: 'NS', target: `ns.${domain}` }] });
  resolver.addresses(`ns.${domain}`, ...addresses);
}

describe('replies', () => {
  const refused = /^550 5\.7\.1 /;
  const rows: readonly (readonly [what: string, domain: string, reply: RegExp, script?: () => void])[] = [
    ['no policy', 'x.elsewhere.example', refused],
    ['a single label', 'localhost', refused],
    ['no MX record', 'none.acme.example', refused, () => resolver.addresses('none.acme.example', '127.0.0.1')],
    ['NXDOMAIN', 'nx.acme.example', refused],
    [
      'MX that is an address',
      'ip.acme.example',
      refused,
      () => resolver.mx('ip.acme.example', [10, US], [20, '1.2.3.4']),
    ],
    ['null MX', 'null.acme.example', refused, () => resolver.mx('null.acme.example', [0, '.'])],
    ['MX localhost', 'lo.acme.example', refused, () => resolver.mx('lo.acme.example', [5, 'localhost'], [5, US])],
    [
      'MX that is an alias',
      'am.acme.example',
      refused,
      () => resolver.mx('am.acme.example', [5, 'alias.acme.example']),
    ],
    [
      'alias',
      'alias.acme.example',
      refused,
      () => resolver.script('alias.acme.example', 'MX', { records: [{ type: 'CNAME', target: US }] }),
    ],
    [
      'we are the backup',
      'backup.acme.example',
      refused,
      () => resolver.mx('backup.acme.example', [5, 'mx.elsewhere.example'], [10, US]),
    ],
    [
      'SERVFAIL',
      'fail.acme.example',
      /^451 4\.4\.3 /,
      () => resolver.script('fail.acme.example', 'any', { rcode: 'SERVFAIL' }),
    ],
    [
      'silence',
      'silent.acme.example',
      /^451 4\.4\.3 /,
      () => resolver.script('silent.acme.example', 'any', { silent: true }),
    ],
    ['approve', 'x.wait.example', /^451 4\.3\.2 /, () => yes('x.wait.example')],
    ['propose', 'x.see.example', refused, () => yes('x.see.example')],
    ['off', 'x.off.acme.example', refused, () => resolver.mx('x.off.acme.example', [10, US])],
  ];

  /** All of its servers say that it is ours. */
  function yes(domain: string): void {
    delegate(domain);
    for (const each of nameServers) each.mx(domain, [10, US]);
  }

  before(async () => {
    await addPolicy('wait', {
      waypostPolicyAction: 'approve',
      waypostMatchDomain: '*.wait.example',
      mailDomainCatchallAddress: CATCHALL,
    });
    await addPolicy('see', { waypostPolicyAction: 'propose', waypostMatchDomain: '*.see.example' });
    await addPolicy('off', {
      waypostPolicyAction: 'off',
      waypostMatchDomain: ['*.off.acme.example'],
      waypostPolicyOrder: '1',
    });
  });

  test('each finding has its reply, and nothing is made; for who has logged in it is a foreign domain', async (context) => {
    if (nameServers.length === 0) return context.skip('port 53 is not ours to listen on');
    for (const [, , , script] of rows) script?.();
    const before = await revision();
    for (const [what, domain, reply] of rows) assert.match(await rcpt(`x@${domain}`), reply, what);
    const client = await SmtpClient.open(server.listeners.submission, ann);
    await client.command(`MAIL FROM:<${ann.login}>`);
    for (const [what, domain] of rows)
      if (domain.includes('.')) assert.equal((await client.command(`RCPT TO:<x@${domain}>`)).code, 250, what);
    await client.quit();
    for (const [what, domain] of rows)
      await assert.rejects(valueAt(domain, 'dc'), /NoSuchObject|no such object/i, `${what} has made nothing`);
    const { searchEntries } = await ldap.search('o=internet', {
      filter: `(&(objectClass=mailDomain)(modifyTimestamp=*))`,
    });
    assert.deepEqual(
      searchEntries.map(({ dn }) => dn),
      [domainDn('acme.example')],
      `since revision ${before}`,
    );
  });

  test('route names the policy that would decide, now and at an earlier revision, without a look-up', async () => {
    const asked = resolver.queries.length;
    assert.equal(await arrivalStep('x@y.acme.example'), 'policy below: auto');
    assert.equal(await arrivalStep('x@y.wait.example'), 'policy wait: approve');
    assert.equal(await arrivalStep('x@y.off.acme.example'), 'policy off: off');
    assert.equal(await arrivalStep('x@elsewhere.example'), undefined);
    assert.equal(await arrivalStep('ann@acme.example'), undefined);
    const first = await revision();
    await addPolicy('early', { waypostPolicyAction: 'propose', waypostPolicyOrder: '2', waypostMatchToken: 'sesame' });
    const later = 'policy early: propose, if the record of its token is there; else policy below: auto';
    assert.equal(await arrivalStep('x@y.acme.example'), later);
    assert.equal(await arrivalStep('x@y.acme.example', first), 'policy below: auto');
    const second = await revision();
    await ldap.del(policyDn('early'));
    assert.equal(await arrivalStep('x@y.acme.example', second), later);
    // A tombstone has the last word, also one that has gone since.
    await addDomain(ldap, 'gone.acme.example');
    await ldap.del(domainDn('gone.acme.example'));
    const removed = 'policy below: auto; but gone.acme.example has been removed, and no message brings it back';
    assert.equal(await arrivalStep('x@y.gone.acme.example'), removed);
    assert.equal(await arrivalStep('x@y.gone.acme.example', second), later);
    const third = await revision();
    await ldap.del('associatedDomain=gone.acme.example,ou=Tombstones,ou=Waypost,o=internet');
    assert.equal(await arrivalStep('x@y.gone.acme.example'), 'policy below: auto');
    assert.equal(await arrivalStep('x@y.gone.acme.example', third), removed);
    assert.equal(resolver.queries.length, asked);
  });
});

describe('domains of others', () => {
  before(async () => {
    await addPolicy('token', {
      waypostPolicyAction: 'auto',
      waypostMatchToken: 'open sesame',
      mailDomainCatchallAddress: CATCHALL,
    });
  });

  /** What both servers, or one of them, say of the name and its token. */
  function says(each: DnsTestServer | undefined, domain: string, token = domainTokenText('open sesame', domain)): void {
    each?.mx(domain, [5, US], [7, 'backup.example']);
    each?.script(`_waypost.${domain}`, 'TXT', { records: [{ type: 'TXT', strings: [token] }] });
  }

  test("it comes where each server that answers says so, and stays in its owner's zone", async (context) => {
    const [one, two] = nameServers;
    if (one === undefined) return context.skip('port 53 is not ours to listen on');
    delegate('customer.example', { silent: true });
    says(one, 'customer.example');
    assert.match(await rcpt('x@customer.example'), /^451 4\.4\.3 /, 'the other server does not have it');
    says(two, 'customer.example', domainTokenText('open sesame', 'other.example'));
    assert.match(await rcpt('x@customer.example'), /^451 4\.4\.3 /, 'the token of another name');
    says(two, 'customer.example');
    two!.isAuthoritative = false;
    assert.match(await rcpt('x@customer.example'), /^451 4\.4\.3 /, 'without AA it says nothing');
    two!.isAuthoritative = true;
    assert.match(await rcpt('x@customer.example'), /^250 2\.1\.5 /);
    assert.equal(await valueAt('customer.example', 'waypostZoneAuthority'), 'theirs');
    assert.equal(await valueAt('customer.example', 'waypostDomainState'), 'active');
    assert.equal(await valueAt('customer.example', 'waypostDomainOrigin'), 'message');
    const evidence = JSON.parse((await valueAt('customer.example', 'waypostDomainEvidence'))!);
    assert.deepEqual(evidence.mx, [`5 ${US}`, '7 backup.example']);
    assert.equal(evidence.asked, NAME_SERVERS.join(' '));
    assert.equal(evidence.authoritative, true);
    assert.equal(evidence.peer, '127.0.0.1');
  });

  test("in a primary's zone it takes nothing before its record is published and seen, after a restart either", async (context) => {
    const [one] = nameServers;
    if (one === undefined) return context.skip('port 53 is not ours to listen on');
    await ldap.add('cn=primary,ou=Hosts,ou=Waypost,o=internet', {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'primary',
      // Nobody listens there: it never takes an update.
      waypostNameServerAddress: '127.0.53.4:5300',
      waypostZone: 'isp.example',
    });
    delegate('x.isp.example');
    for (const each of nameServers) says(each, 'x.isp.example');
    const coming = /^451 4\.3\.2 The domain is being set up/;
    assert.match(await rcpt('y@x.isp.example'), coming);
    assert.equal(await valueAt('x.isp.example', 'waypostDomainState'), 'defined');
    await server.kill9();
    await server.restart();
    const asked = resolver.queries.length;
    for (const local of ['y', 'postmaster', 'abuse']) assert.match(await rcpt(`${local}@x.isp.example`), coming);
    const client = await SmtpClient.open(server.listeners.submission, ann);
    await client.command(`MAIL FROM:<${ann.login}>`);
    assert.equal((await client.command('RCPT TO:<y@x.isp.example>')).code, 451, 'its MX is this server');
    await client.quit();
    assert.equal(resolver.queries.length, asked, 'it is there: nobody is asked');
    await ldap.unbind();
    ldap = await administrator(server);
    // Whoever defines it by hand has identified it.
    await addDomain(ldap, 'hand.isp.example', { mailDomainCatchallAddress: CATCHALL });
    assert.equal(await valueAt('hand.isp.example', 'waypostDomainState'), 'defined');
    assert.match(await rcpt('y@hand.isp.example'), /^250 /);
    if (peer('named').skip !== false) return;
    // The primary comes, takes what is wanted beside the record that has been there, and is seen to have it.
    const bind = await Bind.start({ zones: { 'isp.example': ZONE }, keys: [KEY] });
    context.after(() => bind.stop());
    const endpoint = `127.0.0.1:${bind.port}`;
    await ldap.modify('cn=primary,ou=Hosts,ou=Waypost,o=internet', [
      replaced('waypostNameServerAddress', endpoint),
      replaced('waypostWatchAddress', endpoint),
      replaced('waypostTsigName', KEY.name),
      replaced('waypostTsigSecret', KEY.secret.toString('base64')),
    ]);
    await until(
      'the domain is active',
      async () => (await valueAt('x.isp.example', 'waypostDomainState')) === 'active',
    );
    assert.match(await rcpt('y@x.isp.example'), /^250 2\.1\.5/);
    const dns = new DnsClient({ servers: [endpoint] });
    const mx = await dns.mx('x.isp.example');
    assert.ok(mx.result === 'found');
    assert.deepEqual(mx.exchanges, [
      { preference: 5, exchange: US },
      { preference: 7, exchange: 'backup.example' },
    ]);
    const texts = await dns.ask('x.isp.example', 'TXT');
    assert.ok('answers' in texts && JSON.stringify(texts.answers).includes('v=spf1'));
    dns.close();
  });
});

test('a crowd of names that nobody has seen gets its replies, and others are served meanwhile', async () => {
  const NAMES = Number(process.env['CROWD'] ?? 300);
  for (let i = 0; i < NAMES; i++) resolver.script(`crowd${i}.acme.example`, 'any', { silent: true });
  const { host, port } = server.listeners.smtp;
  const replies: string[] = [];
  const crowd = Array.from({ length: NAMES }, async (_, i) => {
    // So many from one address are no crowd, but an attack.
    const connection = await LineConnection.open(host, port, `127.0.7.${(i % 10) + 1}`);
    connection.write(`HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@crowd${i}.acme.example>\r\n`);
    for (let line = 0; line < 3; line++) await connection.line();
    replies.push(await connection.line());
    connection.destroy();
  });
  const known = await rcpt('ann@acme.example');
  assert.match(known, /^250 /);
  assert.ok(replies.length < NAMES, 'it did not wait for the crowd');
  await Promise.all(crowd);
  assert.equal(replies.length, NAMES);
  // More than a hundred in a thread are not looked up.
  assert.deepEqual([...new Set(replies.map((reply) => reply.slice(0, 9)))].sort(), ['451 4.4.3', '451 4.7.1']);
  assert.ok(replies.filter((reply) => reply.startsWith('451 4.4.3')).length <= 200);
});
