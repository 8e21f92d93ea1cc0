// Records that entries say themselves: served in the commit, refused with the value where they mean nothing.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DirectoryChange } from '../directory/entry.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { recordText } from '../wire/dns/text.ts';
import { describeRecords } from '../zones/describe.ts';
import { zoneLookUp } from '../zones/look-up.ts';
import { zoneNames } from '../zones/names.ts';
import { domainRecords } from '../zones/records.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { add, addDomain, domainDn, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';

const ACME = 'dc=acme,dc=example,o=internet';
const site = (dc: string, values: Readonly<Record<string, readonly string[]>>, above = ACME) =>
  add(`dc=${dc},${above}`, { objectClass: ['dNSDomain2'], dc: [dc], ...values });

async function withAcme(): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'));
  return directory;
}

function asker({ reader }: TestDirectory) {
  const lookUp = zoneLookUp(reader, { hostname: 'mail.isp.example', mode: 'embedded' });
  return (name: string, type: RecordType): readonly string[] => {
    const answer = lookUp(name, type);
    if (answer.result === 'outside') return ['outside'];
    const also = answer.result === 'referral' ? answer.authorities : [];
    return [answer.result, ...answer.answers.map(recordText), ...also.map(recordText)];
  };
}

test('a node with records is served in its commit; aliases, wildcards and delegations as zone files have them', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  const ask = asker(directory);
  await directory.apply(
    site('www', { aRecord: ['192.0.2.80'], aAAARecord: ['2001:DB8:0::80'], dNSTTL: ['60'] }),
    site('shop', { cNAMERecord: ['www.acme.example'] }),
    site('away', { cNAMERecord: ['elsewhere.example.'] }),
    site('*', { tXTRecord: ['"any name"'] }),
    site('lab', { nSRecord: ['ns.lab.acme.example', 'ns.other.example'] }),
    site('ns', { aRecord: ['192.0.2.53'] }, `dc=lab,${ACME}`),
    site('_dmarc', { tXTRecord: ['"v=DMARC1; p=quarantine"', 'else'] }),
    site('_443', { tLSARecord: ['3 1 1 AB cd'] }, `dc=_tcp,${ACME}`),
    site('info', { sRVRecord: ['0 5 5060 sip.acme.example'], cAARecord: ['0 issue "ca.example"'] }),
  );
  assert.deepEqual(ask('www.acme.example', 'A'), ['found', 'www.acme.example. 60 IN A 192.0.2.80']);
  assert.deepEqual(ask('www.acme.example', 'AAAA'), ['found', 'www.acme.example. 60 IN AAAA 2001:db8::80']);
  assert.deepEqual(ask('shop.acme.example', 'A'), [
    ...['found', 'shop.acme.example. 300 IN CNAME www.acme.example.', 'www.acme.example. 60 IN A 192.0.2.80'],
  ]);
  assert.deepEqual(ask('shop.acme.example', 'MX'), ['no-data', 'shop.acme.example. 300 IN CNAME www.acme.example.']);
  assert.deepEqual(ask('away.acme.example', 'A'), ['found', 'away.acme.example. 300 IN CNAME elsewhere.example.']);
  assert.deepEqual(ask('x.y.acme.example', 'TXT'), ['found', 'x.y.acme.example. 300 IN TXT "any name"']);
  assert.deepEqual(ask('x.www.acme.example', 'TXT'), ['no-name']);
  assert.deepEqual(ask('_tcp.acme.example', 'TXT'), ['no-data']);
  const lab = ['lab.acme.example. 300 IN NS ns.lab.acme.example.', 'lab.acme.example. 300 IN NS ns.other.example.'];
  assert.deepEqual(ask('a.lab.acme.example', 'A'), ['referral', ...lab]);
  assert.deepEqual(ask('lab.acme.example', 'NS'), ['referral', ...lab]);
  assert.deepEqual(ask('_dmarc.acme.example', 'TXT'), [
    ...['found', '_dmarc.acme.example. 300 IN TXT "else"', '_dmarc.acme.example. 300 IN TXT "v=DMARC1; p=quarantine"'],
  ]);
  assert.deepEqual(ask('_443._tcp.acme.example', 'TLSA'), ['found', '_443._tcp.acme.example. 300 IN TLSA 3 1 1 abcd']);
  assert.deepEqual(ask('info.acme.example', 'CAA'), ['found', 'info.acme.example. 300 IN CAA 0 issue "ca.example"']);
});

test('an alias is followed through eight of them', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  const ask = asker(directory);
  await directory.apply(site('a0', { aRecord: ['192.0.2.80'] }));
  for (let n = 1; n <= 9; n++) await directory.apply(site(`a${n}`, { cNAMERecord: [`a${n - 1}.acme.example`] }));
  const address = 'a0.acme.example. 300 IN A 192.0.2.80';
  assert.equal(ask('a8.acme.example', 'A').at(-1), address);
  assert.ok(!ask('a9.acme.example', 'A').includes(address));
  assert.deepEqual([ask('a8.acme.example', 'A').length, ask('a9.acme.example', 'A').length], [10, 10]);
});

test('what a domain says itself replaces what is generated of its kind, and exchanges are added', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  const ask = asker(directory);
  await directory.apply(
    replace(ACME, { tXTRecord: ['"v=spf1 -all"', 'hello'], mXRecord: ['20 mx.other.example'], aRecord: ['192.0.2.1'] }),
  );
  assert.deepEqual(ask('acme.example', 'MX'), [
    ...['found', 'acme.example. 300 IN MX 10 mail.isp.example.', 'acme.example. 300 IN MX 20 mx.other.example.'],
  ]);
  assert.deepEqual(ask('acme.example', 'TXT'), [
    ...['found', 'acme.example. 300 IN TXT "hello"', 'acme.example. 300 IN TXT "v=spf1 -all"'],
  ]);
  await directory.apply(replace(ACME, { waypostOmitRecord: ['mx', 'spf', 'dmarc'], tXTRecord: [], aRecord: [] }));
  assert.deepEqual(ask('acme.example', 'MX'), ['found', 'acme.example. 300 IN MX 20 mx.other.example.']);
  assert.deepEqual(ask('acme.example', 'TXT'), ['no-data']);
  assert.deepEqual(ask('_dmarc.acme.example', 'TXT'), ['no-name']);
});

test('a domain without mail says so', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const ask = asker(directory);
  await directory.apply(add(ACME, { objectClass: ['domain', 'inetDomain'], dc: ['acme'] }));
  assert.deepEqual(ask('acme.example', 'MX'), ['found', 'acme.example. 300 IN MX 0 .']);
  assert.deepEqual(ask('acme.example', 'TXT'), ['found', 'acme.example. 300 IN TXT "v=spf1 -all"']);
  assert.deepEqual(ask('_dmarc.acme.example', 'TXT'), [
    'found',
    '_dmarc.acme.example. 300 IN TXT "v=DMARC1; p=reject"',
  ]);
});

test('an apex keeps its zone when a domain above it comes, which then delegates to it', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const ask = asker(directory);
  await directory.apply(addDomain('a.firm.example'));
  const serial = () => Number(ask('a.firm.example', 'SOA')[1]!.split(' ')[6]);
  await directory.apply(addDomain('firm.example'), addDomain('b.firm.example'));
  const before = serial();
  assert.match(ask('a.firm.example', 'SOA')[1]!, /^a\.firm\.example\. /);
  assert.deepEqual(ask('b.firm.example', 'SOA'), ['no-data']);
  assert.match(ask('firm.example', 'SOA')[1]!, /^firm\.example\. /);
  await directory.apply(addDomain('c.firm.example'));
  assert.equal(serial(), before, 'what lies in the zone above is no change of this one');
});

const refused: readonly (readonly [
  values: Readonly<Record<string, readonly string[]>>,
  code: string,
  named: string,
])[] = [
  [{ aRecord: ['192.0.2.300'] }, 'invalidAttributeSyntax', 'aRecord 192.0.2.300'],
  [{ aAAARecord: ['192.0.2.3'] }, 'invalidAttributeSyntax', 'aAAARecord 192.0.2.3'],
  [{ mXRecord: ['mx.acme.example'] }, 'invalidAttributeSyntax', 'mXRecord mx.acme.example'],
  [{ sRVRecord: ['0 0 70000 a.example'] }, 'invalidAttributeSyntax', 'sRVRecord 0 0 70000 a.example'],
  [{ tXTRecord: ['"open'] }, 'invalidAttributeSyntax', 'tXTRecord "open'],
  [{ cNAMERecord: ['a..b'] }, 'invalidAttributeSyntax', 'cNAMERecord a..b'],
  [{ tLSARecord: ['3 1 1 xyz'] }, 'invalidAttributeSyntax', 'tLSARecord 3 1 1 xyz'],
  [{ dNSTTL: ['-1'] }, 'invalidAttributeSyntax', 'dNSTTL -1'],
  [{ nSRecord: ['-.-..'] }, 'invalidAttributeSyntax', 'nSRecord -.-..'],
  [{ pTRRecord: ['a b'] }, 'invalidAttributeSyntax', 'pTRRecord a b'],
  [{ cAARecord: ['0 issue'] }, 'invalidAttributeSyntax', 'cAARecord 0 issue'],
  [{ cNAMERecord: ['a.example'], aRecord: ['192.0.2.1'] }, 'constraintViolation', 'cNAMERecord a.example'],
  [{ cNAMERecord: ['a.example', 'b.example'] }, 'constraintViolation', 'cNAMERecord a.example'],
];
for (const [values, code, named] of refused)
  test(`${named} is refused`, async (context) => {
    const directory = await withAcme();
    context.after(() => directory.close());
    await assert.rejects(directory.apply(site('www', values)), (error: Error & { resultCode?: unknown }) => {
      assert.ok(error.message.includes(named), error.message);
      assert.ok(JSON.stringify({ ...error }).includes(code), JSON.stringify({ ...error }));
      return true;
    });
  });

test('where the zone ends below a domain, its description says who has what is there, and where they are', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  await directory.apply(
    site('lab', { nSRecord: ['ns.lab.acme.example', 'ns.other.example'], dNSTTL: ['60'] }),
    site('ns', { aRecord: ['192.0.2.53'] }, `dc=lab,${ACME}`),
    addDomain('sub.acme.example'),
    addDomain('www.zone.firm.example'),
    addDomain('firm.example'),
  );
  const here = { hostname: 'mail.isp.example', mode: 'embedded' } as const;
  const parts = { names: zoneNames(directory.reader), settings: readZoneSettings(directory.reader, here) };
  const linesOf = (domain: string, part: RegExp) =>
    describeRecords(domain, parts)
      .text.split('\n')
      .filter((line) => part.test(line));
  assert.deepEqual(linesOf('acme.example', /lab|sub/), [
    'lab.acme.example. 60 IN NS ns.lab.acme.example.',
    'lab.acme.example. 60 IN NS ns.other.example.',
    'ns.lab.acme.example. 300 IN A 192.0.2.53',
  ]);
  assert.deepEqual(linesOf('firm.example', /zone/), ['www.zone.firm.example. 300 IN NS mail.isp.example.']);
});

test('a node whose name no record can have owns none; what it has is not held against it', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  const values = { aRecord: ['192.0.2.1'] };
  for (const dc of ['a.b', 'a b', '**', 'x'.repeat(64)])
    await assert.rejects(directory.apply(site(dc, values)), /is no name of records/, dc);
  await directory.apply(site('www', values), site('c.d', {}), site('*', values), site('_x-', values));
  const renamed = { kind: 'rename', dn: `dc=www,${ACME}`, newRdn: 'dc=w.w', deleteOldRdn: true } as const;
  await assert.rejects(directory.apply(renamed as DirectoryChange), /is no name of records/);
  await assert.rejects(directory.apply(replace(`dc=c.d,${ACME}`, values)), /is no name of records/);
  // Elsewhere than in the tree of domains they mean nothing.
  await directory.apply(add('ou=lab,o=internet', { objectClass: ['organizationalUnit'], ou: ['lab'] }));
  await directory.apply(site('a.b', values, 'ou=lab,o=internet'));
});

test('words that mean nothing, and an alias where something is generated, are refused', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  for (const [attribute, value] of [
    ['waypostOmitRecord', 'everything'],
    ['waypostZoneAuthority', 'mine'],
    ['waypostMtaSts', 'perhaps'],
  ])
    await assert.rejects(
      directory.apply(replace(ACME, { [attribute!]: [value!] })),
      new RegExp(`${attribute} ${value}`),
    );
  for (const change of [replace(ACME, { cNAMERecord: ['a.example'] }), site('_dmarc', { cNAMERecord: ['a.example'] })])
    await assert.rejects(directory.apply(change), /cNAMERecord a.example stands beside/);
});

test('what begins to be generated where an alias stands already is refused, and leaves nothing', async (context) => {
  const directory = await withAcme();
  context.after(() => directory.close());
  const host = (name: string, ...services: string[]) =>
    add(`cn=${name},ou=Hosts,ou=Waypost,o=internet`, {
      objectClass: 'waypostHost',
      cn: name,
      ...(services.length === 0 ? {} : { waypostHostService: services }),
    });
  const key = (selector: string, more: Readonly<Record<string, string>> = {}) =>
    add(`cn=${selector},ou=Keys,ou=Waypost,o=internet`, {
      objectClass: 'waypostDkimKey',
      cn: selector,
      waypostKeyType: 'ed25519',
      waypostKeySecret: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ...more,
    });
  const alias = { cNAMERecord: ['a.example'] };
  await directory.apply(
    site('mx2', alias),
    site('_dmarc', alias, `dc=new,${ACME}`),
    site('_mta-sts', alias),
    site('k1', alias, `dc=_domainkey,${ACME}`),
    host('mx3.acme.example'),
    site('mx3', alias),
  );
  const before = directory.reader.revision();
  for (const [change, named] of [
    [host('mx2.acme.example', 'smtp 25'), 'mx2.acme.example stands beside a host of ours'],
    [
      replace('cn=mx3.acme.example,ou=Hosts,ou=Waypost,o=internet', { waypostHostService: ['smtp 25'] }),
      'mx3.acme.example stands beside a host of ours',
    ],
    [addDomain('new.acme.example'), '_dmarc.new.acme.example stands beside records of new.acme.example'],
    [replace(ACME, { waypostMtaSts: 'testing' }), '_mta-sts.acme.example stands beside records of acme.example'],
    [key('k1'), 'k1._domainkey.acme.example stands beside the key k1'],
    [key('k1', { waypostKeyDomain: 'acme.example' }), 'k1._domainkey.acme.example stands beside the key k1'],
  ] as const)
    await assert.rejects(directory.apply(change), (error: Error & { ldap?: { name: string } }) => {
      assert.equal(error.message, `cNAMERecord a.example. of ${named}`);
      return error.ldap?.name === 'constraintViolation';
    });
  assert.equal(directory.reader.revision(), before);
  await directory.apply(
    host('mx2.acme.example'),
    key('k1', { waypostKeyDomain: 'other.example' }),
    key('k2'),
    addDomain('new.acme.example', { waypostOmitRecord: 'dmarc' }),
  );
});

test('what a domain wants is a function of the entries: whatever the order in which they came, and after detours', async () => {
  const changes: readonly DirectoryChange[] = [
    addDomain('acme.example', { waypostDmarc: ['v=DMARC1; p=quarantine'] }),
    addDomain('sales.acme.example', { waypostOmitRecord: ['srv'] }),
    addDomain('deep.sales.acme.example'),
    add('dc=quiet,dc=example,o=internet', { objectClass: ['domain', 'inetDomain'], dc: ['quiet'] }),
    addDomain('firm.example', { waypostTlsReport: ['mailto:tls@firm.example'] }),
    add('cn=mx2.example,ou=Hosts,ou=Waypost,o=internet', {
      ...{ objectClass: ['waypostHost'], cn: ['mx2.example'], waypostHostService: ['smtp 25', 'imaps 993'] },
      ...{ waypostHostAddress: ['192.0.2.25'], waypostHostPreference: ['20'] },
    }),
  ];
  const wanted = ({ reader }: TestDirectory): readonly string[] => {
    const settings = readZoneSettings(reader, { hostname: 'mail.isp.example', mode: 'embedded' });
    const domains = ['acme.example', 'sales.acme.example', 'deep.sales.acme.example', 'quiet.example', 'firm.example'];
    const parts = { names: zoneNames(reader), settings };
    return domains.flatMap((domain) => domainRecords(domain, parts).map(recordText)).sort();
  };
  const first = await openTestDirectory();
  await first.apply(...changes);
  const right = wanted(first);
  first.close();
  assert.ok(right.includes('acme.example. 300 IN MX 20 mx2.example.'), right.join('\n'));
  assert.ok(right.includes('_dmarc.deep.sales.acme.example. 300 IN TXT "v=DMARC1; p=quarantine"'), right.join('\n'));
  const orders = fc.shuffledSubarray([...changes], { minLength: changes.length });
  await fc.assert(
    fc.asyncProperty(orders, fc.subarray(['quiet.example', 'firm.example']), async (order, detours) => {
      const directory = await openTestDirectory();
      try {
        for (const domain of detours) await directory.apply(addDomain(domain), remove(domainDn(domain)));
        for (const change of order) await directory.apply(change);
        assert.deepEqual(wanted(directory), right);
      } finally {
        directory.close();
      }
    }),
    { numRuns: 12 },
  );
});
