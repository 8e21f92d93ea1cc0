// Records of domains at the primaries of others: the started program writes them at BIND, Knot and PowerDNS.
//
// In      an entry below ou=Hosts for each primary, domains below their zones, what others have written there
// Out     what each primary answers; the state of the domain's entry; exit codes of the command

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { DnsClient } from '../src/net/dns-client.ts';
import { CLASS_IN, RCODE } from '../src/wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../src/wire/dns/rdata.ts';
import { rdataText } from '../src/wire/dns/text.ts';
import type { TsigKey } from '../src/wire/dns/tsig.ts';
import { parseRdata, type WrittenType } from '../src/wire/dns/zone-file.ts';
import { Bind } from './support/bind.ts';
import { addDomain, administrator, domainDn, SUFFIX } from './support/directory.ts';
import { Knot } from './support/knot.ts';
import { metricsText } from './support/metrics.ts';
import { peer, powerDnsMissing } from './support/peers.ts';
import { PowerDns } from './support/powerdns.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const SECRET = Buffer.from('a secret of thirty-two octets...');
const key: TsigKey = { name: 'update.example', algorithm: 'hmac-sha256', secret: SECRET };

const zoneText = (zone: string): string => `$TTL 300
$ORIGIN ${zone}.
@ IN SOA ns.${zone}. hostmaster.${zone}. 1 3600 600 86400 300
@ IN NS ns.${zone}.
ns IN A 127.0.0.1
*.wild IN MX 5 mx.elsewhere.example.
*.wild IN TXT "v=spf1 -all"
`;

interface Primary {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

const primaries: readonly [zone: string, skip: string | false, start: (zone: string) => Promise<Primary>][] = [
  ['bind.example', peer('named').skip, (zone) => Bind.start({ zones: { [zone]: zoneText(zone) }, keys: [key] })],
  ['knot.example', peer('knotd').skip, (zone) => Knot.start({ zones: { [zone]: zoneText(zone) }, keys: [key] })],
  ['pdns.example', powerDnsMissing(), (zone) => PowerDns.start({ zones: { [zone]: zoneText(zone) }, keys: [key] })],
];

const client = new DnsClient();
let server: Waypost;
let ldap: Client;

async function asked(at: Primary, name: string, type: WrittenType | 'SOA'): Promise<string[]> {
  const reply = await client.ask(name, type, { servers: [at], tcp: true, recordsMax: 1000 });
  assert.ok('answers' in reply, JSON.stringify(reply));
  return reply.answers
    .filter((record) => record.type === type)
    .map(rdataText)
    .sort();
}

async function ttlsOf(at: Primary, name: string, type: WrittenType): Promise<number[]> {
  const reply = await client.ask(name, type, { servers: [at], tcp: true, recordsMax: 1000 });
  assert.ok('answers' in reply, JSON.stringify(reply));
  return [...new Set(reply.answers.map(({ ttl }) => ttl))];
}

/** What somebody else does at the primary. */
async function change(
  at: Primary,
  zone: string,
  changes: readonly [verb: 'add' | 'remove', string, WrittenType, string][],
  ttl = 300,
) {
  const recordOf = (name: string, type: WrittenType, data: string): ResourceRecord => ({
    name,
    class: CLASS_IN,
    ttl,
    ...(parseRdata(type, data, '.') as Rdata),
  });
  const answer = await client.update(
    at,
    {
      zone,
      prerequisites: [],
      changes: changes.map(([verb, name, type, data]) =>
        verb === 'add' ? { add: recordOf(name, type, data) } : { remove: recordOf(name, type, data) },
      ),
    },
    { key },
  );
  assert.deepEqual(answer, { ...answer, rcode: RCODE.NOERROR });
}

interface Published {
  readonly state: string;
  readonly error: string | null;
  readonly conflicts: readonly { readonly name: string; readonly type: string; readonly found: readonly string[] }[];
}

async function publish(...words: string[]): Promise<{ readonly code: number; readonly shown: Published }> {
  const args = ['dns', 'publish', ...words, '--json', '--data', server.data];
  const { code, stdout } = await run('./waypost', args).then(
    (done) => ({ code: 0, stdout: done.stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  return { code, shown: stdout.trim() === '' ? { state: '', error: null, conflicts: [] } : JSON.parse(stdout) };
}

interface Counts {
  readonly waiting: number;
  readonly oldest: number;
  readonly conflicts: number;
}

/** As `status` has them, and the metrics the same. */
async function counts(): Promise<Counts> {
  const { publishing } = (await new AdminClient(server.data).call('status', {})) as { publishing: Counts };
  const text = await metricsText(server);
  for (const name of ['waypost_dns_publish_waiting', 'waypost_dns_publish_oldest_seconds', 'waypost_dns_conflicts'])
    assert.match(text, new RegExp(`^${name} \\d+$`, 'm'));
  assert.match(text, new RegExp(`^waypost_dns_conflicts ${publishing.conflicts}$`, 'm'));
  return publishing;
}

/** What `dns records` says that the domain wants, by name and type. */
async function wantedOf(domain: string): Promise<Map<string, string[]>> {
  const { records } = await new AdminClient(server.data).call('dns.records', { domain });
  const sets = new Map<string, string[]>();
  for (const { name, type, data } of records) {
    const set = `${name.slice(0, -1)} ${type}`;
    sets.set(set, [...(sets.get(set) ?? []), data].sort());
  }
  return sets;
}

async function hasAll(at: Primary, wanted: ReadonlyMap<string, readonly string[]>): Promise<boolean> {
  for (const [set, data] of wanted) {
    const [name, type] = set.split(' ') as [string, WrittenType];
    const found = await asked(at, name, type);
    if (data.join('\n') !== found.join('\n')) return false;
  }
  return true;
}

async function stateOf(domain: string): Promise<string | undefined> {
  const attributes = ['waypostDomainState'];
  const { searchEntries } = await ldap.search(domainDn(domain), { scope: 'base', attributes });
  return searchEntries[0]?.['waypostDomainState'] as string | undefined;
}

const primaryEntry = (zone: string, addresses: string | string[], more: Record<string, string | string[]> = {}) =>
  ldap.add(`cn=primary of ${zone},ou=Hosts,ou=Waypost,${SUFFIX}`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'primary',
    waypostNameServerAddress: addresses,
    waypostZone: zone,
    waypostTsigName: key.name,
    waypostTsigSecret: SECRET.toString('base64'),
    ...more,
  });

before(async () => {
  server = await startWaypost({ env: { WAYPOST_LOG_LEVEL: 'info' } });
  ldap = await administrator(server);
});
after(async () => {
  client.close();
  await ldap?.unbind();
  await server?.stop();
});

for (const [zone, skip, start] of primaries)
  describe(`a primary of ${zone}`, { skip, concurrency: false }, () => {
    let at: Primary;
    const domain = `acme.${zone}`;

    before(async () => {
      at = await start(zone);
      const address = `${at.address}:${at.port}`;
      await primaryEntry(zone, address, { waypostWatchAddress: address });
    });
    after(() => at?.stop());

    test('records follow the entry, by itself: added, changed, taken away', async () => {
      const before = (await asked(at, zone, 'SOA'))[0]!.split(' ')[2];
      await addDomain(ldap, domain);
      await until('the records stand at the primary', async () => hasAll(at, await wantedOf(domain)));
      const wanted = await wantedOf(domain);
      assert.deepEqual(await asked(at, domain, 'MX'), ['10 mail.waypost.example.']);
      assert.ok(
        [...wanted.keys()].some((set) => set.includes('._domainkey.')),
        [...wanted.keys()].join(),
      );
      await until('they have been seen', async () => (await stateOf(domain)) === 'active');
      // One update: the serial has gone up once.
      assert.notEqual((await asked(at, zone, 'SOA'))[0]!.split(' ')[2], before);
      assert.deepEqual(await asked(at, zone, 'NS'), [`ns.${zone}.`]);

      await ldap.add(`dc=www,${domainDn(domain)}`, {
        objectClass: ['dNSDomain', 'dNSDomain2'],
        dc: 'www',
        aRecord: ['192.0.2.1', '192.0.2.2'],
        tXTRecord: 'a text',
      });
      await until('the site is there', async () => (await asked(at, `www.${domain}`, 'A')).length === 2);
      await ldap.modify(`dc=www,${domainDn(domain)}`, [
        new Change({ operation: 'replace', modification: new Attribute({ type: 'aRecord', values: ['192.0.2.2'] }) }),
      ]);
      await until('one is gone', async () => (await asked(at, `www.${domain}`, 'A')).join() === '192.0.2.2');
      await ldap.modify(domainDn(domain), [
        new Change({ operation: 'add', modification: new Attribute({ type: 'waypostOmitRecord', values: ['spf'] }) }),
      ]);
      await until('no SPF', async () => (await asked(at, domain, 'TXT')).length === 0);
      // From addresses to an alias at the same name.
      await ldap.del(`dc=www,${domainDn(domain)}`);
      await ldap.add(`dc=www,${domainDn(domain)}`, {
        objectClass: 'dNSDomain',
        dc: 'www',
        cNAMERecord: `ns.${zone}`,
      });
      await until('an alias', async () => (await asked(at, `www.${domain}`, 'CNAME')).join() === `ns.${zone}.`);

      // What others write beside it, and what was there, stays when the domain goes.
      await change(at, zone, [
        ['add', domain, 'TXT', '"somebody else"'],
        ['add', domain, 'A', '192.0.2.77'],
      ]);
      await ldap.del(`dc=www,${domainDn(domain)}`);
      await ldap.del(domainDn(domain));
      await until('ours are gone', async () => {
        for (const set of wanted.keys()) {
          const [name, type] = set.split(' ') as [string, WrittenType];
          if ((await asked(at, name, type)).some((data) => data !== '"somebody else"')) return false;
        }
        return (await asked(at, `www.${domain}`, 'CNAME')).length === 0;
      });
      assert.deepEqual(await asked(at, domain, 'TXT'), ['"somebody else"']);
      assert.deepEqual(await asked(at, domain, 'A'), ['192.0.2.77']);
    });

    test('what others have written is left, shown, and replaced when that is asked for', async () => {
      const name = `other.${zone}`;
      const dmarc = `_dmarc.${name}`;
      const theirs: Parameters<typeof change>[2] = [
        ['add', name, 'MX', '5 mx.elsewhere.example.'],
        ['add', name, 'TXT', '"v=spf1 -all"'],
        ['add', name, 'TXT', '"a text"'],
        // Equal to what will be wanted.
        ['add', dmarc, 'TXT', '"v=DMARC1; p=none"'],
      ];
      await change(at, zone, theirs, 7200);
      await addDomain(ldap, name, { waypostOmitRecord: 'srv' });
      await until('it is published', async () => (await stateOf(name)) !== 'defined');
      assert.deepEqual(await asked(at, name, 'MX'), ['5 mx.elsewhere.example.']);
      assert.deepEqual(await asked(at, name, 'TXT'), ['"a text"', '"v=spf1 -all"']);
      const { code, shown } = await publish(name);
      assert.equal(code, 0);
      assert.equal(shown.state, 'published');
      assert.deepEqual(
        shown.conflicts.map((conflict) => `${conflict.name} ${conflict.type} ${conflict.found.join()}`).sort(),
        [`${name} MX 5 mx.elsewhere.example.`, `${name} TXT "v=spf1 -all"`],
      );
      const { conflicts } = await counts();
      const forced = await publish(name, '--force');
      assert.deepEqual([forced.code, forced.shown.conflicts], [0, []]);
      assert.deepEqual([(await counts()).conflicts, conflicts > 0], [conflicts - 1, true]);
      assert.deepEqual(await asked(at, name, 'MX'), ['10 mail.waypost.example.']);
      assert.deepEqual(await asked(at, name, 'TXT'), ['"a text"', '"v=spf1 mx ~all"']);
      assert.deepEqual(await ttlsOf(at, name, 'TXT'), [7200]);
      assert.deepEqual(await ttlsOf(at, name, 'MX'), [300]);
      await ldap.del(domainDn(name));
      await until('ours are gone', async () => (await asked(at, name, 'MX')).length === 0);
      assert.deepEqual(await asked(at, name, 'TXT'), ['"a text"']);
      assert.deepEqual(await asked(at, dmarc, 'TXT'), ['"v=DMARC1; p=none"']);
    });

    test('an exchange of ours in the zone comes with its addresses', async () => {
      const name = `mx.${zone}`;
      const host = `mail.${name}`;
      await addDomain(ldap, name, { mailRoutingHosts: host });
      const entry = `cn=${host},ou=Hosts,ou=Waypost,${SUFFIX}`;
      await ldap.add(entry, {
        objectClass: 'waypostHost',
        cn: host,
        waypostHostAddress: ['192.0.2.9', '2001:db8::9'],
        waypostHostService: 'smtp 25',
      });
      assert.equal((await publish(name)).shown.error, null);
      assert.deepEqual(await asked(at, name, 'MX'), [`10 ${host}.`]);
      assert.deepEqual(await asked(at, host, 'A'), ['192.0.2.9']);
      assert.deepEqual(await asked(at, host, 'AAAA'), ['2001:db8::9']);
      assert.deepEqual(await asked(at, host, 'TXT'), ['"v=spf1 a -all"']);
      await ldap.del(domainDn(name));
      await until('ours are gone', async () => (await asked(at, host, 'A')).length === 0);
      await ldap.del(entry);
    });

    test('a domain at the apex of the zone: its SOA and NS stay who they are', async () => {
      const [soa] = await asked(at, zone, 'SOA');
      await addDomain(ldap, zone, { nSRecord: 'ns.elsewhere.example' });
      await until('its MX', async () => (await asked(at, zone, 'MX')).join() === '10 mail.waypost.example.');
      assert.deepEqual(await asked(at, zone, 'NS'), [`ns.${zone}.`]);
      assert.equal((await asked(at, zone, 'SOA'))[0]!.split(' ')[0], soa!.split(' ')[0]);
      await ldap.del(domainDn(zone));
      await until('it is gone', async () => (await asked(at, zone, 'MX')).length === 0);
      assert.deepEqual(await asked(at, zone, 'TXT'), []);
    });

    test("what a wildcard gives is nobody's record of the name", async () => {
      const name = `host.wild.${zone}`;
      await addDomain(ldap, name);
      await until('its own MX', async () => (await asked(at, name, 'MX')).join() === '10 mail.waypost.example.');
      assert.deepEqual(await asked(at, name, 'TXT'), ['"v=spf1 mx ~all"']);
      assert.deepEqual((await publish(name)).shown.conflicts, []);
      assert.deepEqual(await asked(at, `x.wild.${zone}`, 'MX'), ['5 mx.elsewhere.example.']);
    });
  });

test('a zone that goes to another primary: its records are taken away at the first, and stand at the second', {
  skip: peer('named').skip || peer('knotd').skip,
}, async (context) => {
  const zone = 'moving.example';
  const domain = `x.${zone}`;
  const first = await Bind.start({ zones: { [zone]: zoneText(zone) }, keys: [key] });
  const second = await Knot.start({ zones: { [zone]: zoneText(zone) }, keys: [key] });
  context.after(() => Promise.all([first.stop(), second.stop()]));
  await primaryEntry(zone, `${first.address}:${first.port}`);
  await addDomain(ldap, domain);
  await until('the first has them', async () => hasAll(first, await wantedOf(domain)));
  const dn = `cn=primary of ${zone},ou=Hosts,ou=Waypost,${SUFFIX}`;
  await ldap.del(dn);
  // Without an entry nobody knows where that is.
  await until('it waits', async () => (await publish(domain)).shown.state === 'refused');
  assert.match((await publish(domain)).shown.error!, /no entry says where/);
  assert.equal((await asked(first, domain, 'MX')).length, 1);
  await ldap.add(`cn=second,ou=Hosts,ou=Waypost,${SUFFIX}`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'primary',
    waypostNameServerAddress: `${second.address}:${second.port}`,
    waypostZone: zone,
    waypostTsigName: key.name,
    waypostTsigSecret: SECRET.toString('base64'),
  });
  await until('the second has them', async () => hasAll(second, await wantedOf(domain)));
  await primaryEntry(zone, `${first.address}:${first.port}`, { waypostZone: 'unused.example' });
  await publish(domain);
  assert.deepEqual(await asked(first, domain, 'MX'), []);
  assert.deepEqual(await asked(first, domain, 'TXT'), []);
  assert.deepEqual(await asked(second, domain, 'MX'), ['10 mail.waypost.example.']);
});

test('a name that is not ours: 1; a primary that does not answer: 75, and it is tried again', async () => {
  assert.equal((await publish('nobody.example')).code, 1);
  await addDomain(ldap, 'own.example');
  assert.deepEqual(await publish('own.example').then(({ code, shown }) => [code, shown.state]), [0, 'served']);
  await primaryEntry('dead.example', '127.0.0.1:9');
  await addDomain(ldap, 'x.dead.example');
  const { code, shown } = await publish('x.dead.example');
  assert.equal(code, 75);
  assert.equal(shown.state, 'unreachable');
  assert.equal(await stateOf('x.dead.example'), 'defined');
  await until('it is said that it waits, and for how long', async () => {
    const { waiting, oldest } = await counts();
    return waiting > 0 && oldest > 0;
  });
  // Who wrote the entry by hand has identified it: mail is taken from its commit on.
  const smtp = await SmtpClient.open(server.listeners.smtp);
  assert.equal((await smtp.command('MAIL FROM:<ann@elsewhere.example>')).code, 250);
  assert.equal((await smtp.command('RCPT TO:<postmaster@x.dead.example>')).code, 250);
  smtp.connection.destroy();
  await ldap.del(domainDn('x.dead.example'));
});
