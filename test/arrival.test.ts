// A message brings its domain (Fig. 6 of the seed), on the started program: the MX record that the configured resolver
// gives is the evidence, the parent's catch-all gets the very message, and all that follows from a domain is there.
//
// In      SMTP to domains that nobody has defined; a DNS server of the test's own as the resolver
// Out     entries (LDAP), our MX record (DNS), the message (IMAP); or the reply to RCPT, and nothing made

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { UdpProbe } from './false-bounce/probes.ts';
import { addDomain, addUser, administrator, domainDn, type Person } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const US = 'mail.waypost.example';
const THREADS = 3;

interface World {
  readonly server: Waypost;
  readonly dns: DnsTestServer;
  readonly ldap: Client;
  readonly ann: Person;
}

/** acme.example with a catch-all, bare.example without one; `ann` gets what nobody else does. */
async function open(fromMx: 'auto' | 'off'): Promise<World> {
  const dns = await DnsTestServer.start('127.0.0.2');
  const config = `resolver = ["${dns.server}"]\nthreads = ${THREADS}\n[provision]\nfrom-mx = "${fromMx}"\n`;
  const server = await startWaypost({ config });
  const ldap = await administrator(server);
  await addDomain(ldap, 'acme.example', { mailDomainCatchallAddress: 'ann@acme.example' });
  const ann = await addUser(ldap, 'ann@acme.example');
  await addDomain(ldap, 'bare.example');
  return { server, dns, ldap, ann };
}

async function close({ server, dns, ldap }: World): Promise<void> {
  await ldap.unbind();
  await server.stop();
  await dns.close();
}

/** The reply to RCPT, from another address of this machine when one is given. */
async function rcpt({ server }: World, address: string, from?: string): Promise<string> {
  const { host, port } = server.listeners.smtp;
  const connection = await LineConnection.open(host, port, from);
  connection.write('HELO client.example\r\nMAIL FROM:<>\r\n');
  for (let i = 0; i < 3; i++) await connection.line();
  connection.write(`RCPT TO:<${address}>\r\n`);
  const reply = await connection.line();
  connection.destroy();
  return reply;
}

async function send({ server }: World, to: string, subject: string): Promise<void> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.send('stranger@elsewhere.example', [to], Buffer.from(`Subject: ${subject}\r\n\r\nhello\r\n`));
  await client.quit();
}

async function inbox({ server, ann }: World): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

/** Attributes of the entry of this domain's node, undefined when there is none. */
async function entryOf({ ldap }: World, domain: string): Promise<Record<string, unknown> | undefined> {
  try {
    const { searchEntries } = await ldap.search(domainDn(domain), { scope: 'base', attributes: ['*', '+'] });
    return searchEntries[0];
  } catch (error) {
    assert.match(String(error), /NoSuchObject|no such object/i);
    return undefined;
  }
}

async function mx({ server }: World, name: string): Promise<string> {
  const probe = await UdpProbe.open(server.listeners.dns);
  const answer = await probe.mx(name);
  probe.close();
  return answer;
}

/** Directory commits so far: an entry each. */
async function revision({ server }: World): Promise<number> {
  return (await new AdminClient(server.data).call('status', {})).revision;
}

describe('from-mx = "auto"', () => {
  let world: World;
  before(async () => {
    world = await open('auto');
  });
  after(() => close(world));

  test('a.b.acme.example, never defined: entries, record and route are made, and the message is delivered', async () => {
    // The most preferred, in any case.
    world.dns.mx('a.b.acme.example', [5, 'Mail.Waypost.Example']);
    assert.equal(await mx(world, 'a.b.acme.example'), 'NXDOMAIN');
    await send(world, 'Sales@A.b.acme.example', 'first of its domain');

    const domain = await entryOf(world, 'a.b.acme.example');
    assert.deepEqual(domain?.['objectClass'], ['domain', 'inetDomain', 'mailDomain', 'top']);
    assert.equal(domain['mailDomainCatchallAddress'], 'ann@acme.example');
    const between = await entryOf(world, 'b.acme.example');
    assert.deepEqual(between?.['objectClass'], ['domain', 'top'], 'what is made on the way is no mail domain');
    assert.equal(await mx(world, 'a.b.acme.example'), `MX ${US}`);
    assert.equal(await mx(world, 'b.acme.example'), 'NOERROR');
    const messages = await inbox(world);
    assert.equal(messages.length, 1);
    assert.match(messages[0]!, /\r\nSubject: first of its domain\r\n\r\nhello\r\n$/);
    assert.match(messages[0]!, /for <Sales@a\.b\.acme\.example>/);
    const route = await new AdminClient(world.server.data).call('route', {
      address: 'x@a.b.acme.example',
    });
    assert.ok(route.steps.some(({ detail }) => detail.endsWith('of a.b.acme.example: ann@acme.example')));
    assert.deepEqual(
      route.targets.map(({ channel, nexthop }) => [channel, nexthop]),
      [['store', US]],
    );

    // It is a domain like any other from now on: nobody is asked again.
    const asked = world.dns.queries.length;
    assert.match(await rcpt(world, 'y@a.b.acme.example'), /^250 2\.1\.5/);
    assert.equal(world.dns.queries.length, asked);
  });

  test('dig sees the record', { skip: peer('dig').skip }, () => {
    const { host, port } = world.server.listeners.dns;
    for (const tcp of ['+notcp', '+tcp']) {
      const arguments_ = [`@${host}`, '-p', String(port), 'a.b.acme.example', 'MX', '+short', tcp];
      assert.equal(execFileSync(peer('dig').path, arguments_, { encoding: 'utf8' }).trim(), `10 ${US}.`);
    }
  });

  test('ldapsearch sees the entries', { skip: peer('ldapsearch').skip }, () => {
    const { host, port } = world.server.listeners.ldap;
    const who = ['-x', '-H', `ldap://${host}:${port}`, '-D', 'cn=Directory Manager', '-w', world.server.ldap.password];
    const found = execFileSync(peer('ldapsearch').path, [...who, '-LLL', '-b', domainDn('b.acme.example'), 'dn']);
    assert.deepEqual(
      String(found)
        .match(/^dn: .*/gm)
        ?.slice(0, 2),
      [`dn: ${domainDn('b.acme.example')}`, `dn: ${domainDn('a.b.acme.example')}`],
    );
  });

  test('twenty messages at once make it once', async () => {
    world.dns.mx('alone.acme.example', [10, US]);
    const first = await revision(world);
    await send(world, 'x@alone.acme.example', 'alone');
    const once = (await revision(world)) - first;

    world.dns.script('many.acme.example', 'MX', {
      records: [{ type: 'MX', preference: 10, exchange: US }],
      delayMs: 200,
    });
    const before = await inbox(world);
    const clients = await Promise.all(Array.from({ length: 20 }, () => SmtpClient.open(world.server.listeners.smtp)));
    await Promise.all(
      clients.map((client, i) =>
        client.send('s@elsewhere.example', [`r${i}@many.acme.example`], Buffer.from(`Subject: one of ${i}\r\n\r\n`)),
      ),
    );
    for (const client of clients) await client.quit();
    assert.equal((await revision(world)) - first, 2 * once, 'as many commits as for one message');
    assert.equal((await inbox(world)).length, before.length + 20);
    const asked = world.dns.queries.filter(({ name }) => name === 'many.acme.example').length;
    // A look-up that has no answer in a second is made again.
    assert.ok(asked >= 1 && asked <= 2 * THREADS, `${asked} look-ups for twenty messages`);
    const { searchEntries } = await world.ldap.search(domainDn('acme.example'), { filter: '(dc=many)' });
    assert.equal(searchEntries.length, 1);
  });

  test('the very next message finds the domain on every thread', async () => {
    for (let i = 0; i < 10; i++) {
      world.dns.mx(`n${i}.acme.example`, [10, US]);
      assert.match(await rcpt(world, `x@n${i}.acme.example`), /^250 2\.1\.5/);
      world.dns.forget(`n${i}.acme.example`);
      const again = Array.from({ length: THREADS }, () => rcpt(world, `x@n${i}.acme.example`));
      for (const reply of await Promise.all(again)) assert.match(reply, /^250 2\.1\.5/);
      assert.equal(await mx(world, `n${i}.acme.example`), `MX ${US}`);
    }
  });

  /** Nothing speaks for these: what is said, and that nothing is made. */
  const refusals: readonly (readonly [what: string, domain: string, reply: RegExp, script: (world: World) => void])[] =
    [
      ['NXDOMAIN', 'nx.acme.example', /^550 5\.7\.1 /, () => {}],
      [
        'no MX record',
        'nomx.acme.example',
        /^550 5\.7\.1 /,
        ({ dns }) => dns.addresses('nomx.acme.example', '127.0.0.1'),
      ],
      ['null MX', 'null.acme.example', /^550 5\.7\.1 /, ({ dns }) => dns.mx('null.acme.example', [0, '.'])],
      [
        'only others',
        'other.acme.example',
        /^550 5\.7\.1 /,
        ({ dns }) => dns.mx('other.acme.example', [1, 'mx.elsewhere.example'], [2, `not.${US}`]),
      ],
      [
        'we are only the backup',
        'backup.acme.example',
        /^550 5\.7\.1 /,
        ({ dns }) => dns.mx('backup.acme.example', [10, 'mx.elsewhere.example'], [20, US]),
      ],
      [
        'an alias',
        'alias.acme.example',
        /^550 5\.7\.1 /,
        ({ dns }) =>
          dns.script('alias.acme.example', 'MX', {
            records: [
              { type: 'CNAME', target: 'other.example' },
              { type: 'MX', preference: 10, exchange: US },
            ],
          }),
      ],
      [
        'an address as MX',
        'address.acme.example',
        /^550 5\.7\.1 /,
        ({ dns }) => dns.mx('address.acme.example', [10, US], [20, '192.0.2.1']),
      ],
      [
        'SERVFAIL',
        'fail.acme.example',
        /^451 4\.4\.3 /,
        ({ dns }) => dns.script('fail.acme.example', 'any', { rcode: 'SERVFAIL' }),
      ],
      [
        'REFUSED',
        'refused.acme.example',
        /^451 4\.4\.3 /,
        ({ dns }) => dns.script('refused.acme.example', 'any', { rcode: 'REFUSED' }),
      ],
      [
        'silence',
        'silent.acme.example',
        /^451 4\.4\.3 /,
        ({ dns }) => dns.script('silent.acme.example', 'any', { silent: true }),
      ],
      ['no catch-all', 'a.bare.example', /^550 5\.1\.1 /, ({ dns }) => dns.mx('a.bare.example', [10, US])],
      [
        'five labels',
        '1.2.3.4.5.acme.example',
        /^550 5\.7\.1 /,
        ({ dns }) => dns.mx('1.2.3.4.5.acme.example', [10, US]),
      ],
      [
        'no parent of ours',
        'new.elsewhere.example',
        /^550 5\.7\.1 /,
        ({ dns }) => dns.mx('new.elsewhere.example', [10, US]),
      ],
      ['an address literal', '[192.0.2.1]', /^550 5\.7\.1 /, () => {}],
    ];
  for (const [what, domain, expected, script] of refusals)
    test(`${what}: ${expected.source.slice(1).replaceAll('\\', '')}and nothing is made`, async () => {
      script(world);
      const before = await revision(world);
      assert.match(await rcpt(world, `x@${domain}`), expected);
      assert.equal(await revision(world), before);
      if (domain.startsWith('[')) return;
      assert.equal(await entryOf(world, domain), undefined);
      assert.equal(
        await entryOf(world, domain.slice(domain.indexOf('.') + 1)).then((e) => e?.['dc']),
        parentDc(domain),
      );
      assert.match(await mx(world, domain), /^(NXDOMAIN|REFUSED)$/);
    });

  /** Only the parents that were there before have an entry. */
  function parentDc(domain: string): string | undefined {
    const above = domain.slice(domain.indexOf('.') + 1);
    return above === 'acme.example' || above === 'bare.example' ? above.slice(0, above.indexOf('.')) : undefined;
  }

  test('four labels go', async () => {
    world.dns.mx('1.2.3.4.acme.example', [10, US]);
    assert.match(await rcpt(world, 'x@1.2.3.4.acme.example'), /^250 /);
    assert.equal(await mx(world, '1.2.3.4.acme.example'), `MX ${US}`);
  });

  test('an inactive parent brings nothing', async () => {
    await addDomain(world.ldap, 'closed.example', {
      mailDomainCatchallAddress: 'ann@acme.example',
      mailDomainStatus: 'inactive',
    });
    world.dns.mx('sub.closed.example', [10, US]);
    assert.match(await rcpt(world, 'x@sub.closed.example'), /^550 5\.7\.1 /);
    assert.equal(await entryOf(world, 'sub.closed.example'), undefined);
  });

  test('while one waits for the evidence, others are served', async () => {
    world.dns.script('slow.acme.example', 'any', { silent: true });
    let answered = false;
    const slow = rcpt(world, 'x@slow.acme.example').finally(() => {
      answered = true;
    });
    for (let i = 0; i < THREADS; i++) assert.match(await rcpt(world, 'ann@acme.example'), /^250 /);
    assert.equal(answered, false);
    assert.match(await slow, /^451 4\.4\.3 /);
  });

  test('an author brings a domain too; what stays foreign is relayed for him', async () => {
    const client = await SmtpClient.open(world.server.listeners.submission, world.ann);
    world.dns.mx('mine.acme.example', [10, US]);
    await client.send(world.ann.login, ['x@mine.acme.example'], Buffer.from('Subject: by an author\r\n\r\n'));
    assert.equal(await mx(world, 'mine.acme.example'), `MX ${US}`);
    assert.ok((await inbox(world)).some((message) => message.includes('Subject: by an author\r\n')));

    world.dns.mx('theirs.acme.example', [10, 'mx.elsewhere.example']);
    await client.command(`MAIL FROM:<${world.ann.login}>`);
    assert.equal((await client.command('RCPT TO:<x@theirs.acme.example>')).code, 250);
    assert.equal(await entryOf(world, 'theirs.acme.example'), undefined);
    world.dns.script('unknown.acme.example', 'any', { rcode: 'SERVFAIL' });
    assert.equal((await client.command('RCPT TO:<x@unknown.acme.example>')).code, 250, 'it may be anybody');
    assert.equal(await entryOf(world, 'unknown.acme.example'), undefined);
    await client.quit();
  });

  test('sixty an hour a peer, and then another peer', async () => {
    // A peer of its own: the tests before have used up some of 127.0.0.1's.
    const began = performance.now();
    const nameOf = (at: number): string => `h${at}.acme.example`;
    const ask = (at: number): Promise<string> => {
      world.dns.mx(nameOf(at), [10, US]);
      return rcpt(world, `x@${nameOf(at)}`, '127.0.0.3');
    };
    let brought = 0;
    let said = await ask(0);
    for (; said.startsWith('250 '); said = await ask(brought)) brought++;
    assert.match(said, /^451 4\.7\.1 /);
    // One a minute comes back.
    const back = Math.ceil((performance.now() - began) / 60_000);
    assert.ok(brought >= 60 && brought <= 60 + back, `${brought} were brought`);
    const last = nameOf(brought);
    assert.equal(await entryOf(world, last), undefined);
    assert.match(await ask(0), /^250 /, 'a domain that is there costs nothing');
    assert.match(await rcpt(world, `x@${last}`, '127.0.0.4'), /^250 /);
  });

  test('what has been removed stays removed, though its MX still names us; by hand it comes back', async () => {
    world.dns.mx('gone.acme.example', [10, US]);
    world.dns.mx('sub.gone.acme.example', [10, US]);
    assert.match(await rcpt(world, 'x@gone.acme.example'), /^250 /);
    await world.ldap.del(domainDn('gone.acme.example'));
    const before = await revision(world);
    const asked = world.dns.queries.length;
    for (const address of ['x@gone.acme.example', 'y@gone.acme.example', 'x@sub.gone.acme.example'])
      assert.match(await rcpt(world, address), /^550 5\.7\.1 /);
    assert.equal(world.dns.queries.length, asked, 'nothing is looked up');
    assert.equal(await revision(world), before, 'and nothing made');

    await addDomain(world.ldap, 'gone.acme.example', { mailDomainCatchallAddress: 'ann@acme.example' });
    assert.match(await rcpt(world, 'x@gone.acme.example'), /^250 /);
  });

  test('a kill right after the reply loses nothing of it', async () => {
    world.dns.mx('kept.acme.example', [10, US]);
    await send(world, 'x@kept.acme.example', 'kept');
    await world.server.kill9();
    await world.server.restart();
    assert.equal(await mx(world, 'kept.acme.example'), `MX ${US}`);
    assert.ok((await inbox(world)).some((message) => message.includes('Subject: kept\r\n')));
  });
});

test('from-mx = "off": the stranger gets 550 5.7.1, nothing is looked up and nothing is made', async (context) => {
  const world = await open('off');
  context.after(() => close(world));
  world.dns.mx('a.b.acme.example', [10, US]);
  const before = await revision(world);
  assert.match(await rcpt(world, 'x@a.b.acme.example'), /^550 5\.7\.1 /);
  assert.equal(await revision(world), before);
  assert.equal(await entryOf(world, 'b.acme.example'), undefined);
  assert.deepEqual(world.dns.queries, []);
  assert.equal(await mx(world, 'a.b.acme.example'), 'NXDOMAIN');
});
