// After any sequence of directory changes DNS answers what a naive judge, written from the documentation, makes of the same
// entries: whatever name, whatever type. And no domain of ours is ever said not to exist.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { NaiveZones } from '../../test/support/naive-zones.ts';
import { Failure } from '../base/failure.ts';
import { attributesOfJson } from '../directory/entries.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { recordText } from '../wire/dns/text.ts';
import { authorityOf } from '../zones/authority.ts';
import { zoneNames } from '../zones/names.ts';
import { lookUp } from '../zones/records.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { add, addDomain, domainDn, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';

const OWN = { hostname: 'mail.acme.example', addresses: ['192.0.2.1', '2001:db8::1'] };
const TYPES: readonly RecordType[] = ['A', 'AAAA', 'MX', 'NS', 'CNAME', 'TXT', 'SRV', 'CAA', 'SOA'];

const domain = fc.constantFrom(
  'example',
  'acme.example',
  'sales.acme.example',
  'lab.acme.example',
  'firm.test',
  'up.firm.test',
);
const label = fc.constantFrom(
  'www',
  '*',
  '_tcp',
  '_sip._tcp',
  'mail',
  '_dmarc',
  'k1._domainkey',
  'a.b',
  '_mta-sts',
  '*.www',
);
const node = fc.tuple(label, domain).map((parts) => parts.join('.'));
const mxHost = fc.constantFrom('mail.acme.example', 'mx2.example', 'mx.other.test');

type Values = Readonly<Record<string, readonly string[]>>;
const some = (...list: string[]) => fc.subarray(list, { maxLength: Math.min(2, list.length) });
const siteValues: fc.Arbitrary<Values> = fc.oneof(
  some('192.0.2.7', '192.0.2.8').map((aRecord) => ({ aRecord })),
  some('2001:db8::7').map((aAAARecord) => ({ aAAARecord })),
  some('"a text"', '"v=spf1 -all"', '"v=DMARC1; p=quarantine"', '"v=DKIM1; p="').map((tXTRecord) => ({ tXTRecord })),
  some('20 mx.other.test.', '30 mx2.example.').map((mXRecord) => ({ mXRecord })),
  some('0 5 5060 www.acme.example.').map((sRVRecord) => ({ sRVRecord })),
  some('0 issue "ca.test"').map((cAARecord) => ({ cAARecord })),
  fc.constantFrom(['60'], []).map((dNSTTL) => ({ dNSTTL })),
);
const alias = fc.constantFrom(
  'www.acme.example.',
  'a.b.acme.example.',
  'www.firm.test.',
  'x.other.test.',
  'acme.example.',
);
const servers = fc.constantFrom(['ns.other.test.'], ['ns.other.test.', 'www.lab.acme.example.'], []);
const below = (container: string, cn: string): string => `cn=${cn},ou=${container},ou=Waypost,o=internet`;
const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const nodeDn = (name: string): string =>
  `${name
    .split('.')
    .map((each) => `dc=${each}`)
    .join(',')},o=internet`;
const addNode = (name: string, values: Values): DirectoryChange => {
  const given = Object.fromEntries(Object.entries(values).filter(([, list]) => list.length > 0));
  return add(nodeDn(name), { objectClass: 'dNSDomain2', dc: name.split('.')[0]!, ...given });
};

const domainValues: fc.Arbitrary<Values> = fc.oneof(
  some('mx', 'spf', 'dkim', 'dmarc', 'srv').map((waypostOmitRecord) => ({ waypostOmitRecord })),
  fc.constantFrom(['v=DMARC1; p=quarantine'], []).map((waypostDmarc) => ({ waypostDmarc })),
  fc.constantFrom(['testing'], ['enforce'], []).map((waypostMtaSts) => ({ waypostMtaSts })),
  fc.constantFrom(['mailto:tls@acme.example'], []).map((waypostTlsReport) => ({ waypostTlsReport })),
  fc.constantFrom(['theirs'], []).map((waypostZoneAuthority) => ({ waypostZoneAuthority })),
  fc.uniqueArray(mxHost, { maxLength: 2 }).map((mailRoutingHosts) => ({ mailRoutingHosts })),
  servers.map((nSRecord) => ({ nSRecord })),
);

const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
  { weight: 5, arbitrary: domain.map((of) => addDomain(of)) },
  domain.map((of) => addDomain(of, { objectClass: ['domain', 'inetDomain'] })),
  domain.map((of) => replace(domainDn(of), { objectClass: ['domain', 'inetDomain'] })),
  domain.map((of) => replace(domainDn(of), { objectClass: ['domain'] })),
  { weight: 5, arbitrary: fc.tuple(domain, domainValues).map(([of, values]) => replace(domainDn(of), values)) },
  { weight: 2, arbitrary: fc.tuple(domain, siteValues).map(([of, values]) => replace(domainDn(of), values)) },
  { weight: 6, arbitrary: fc.tuple(node, siteValues).map(([of, values]) => addNode(of, values)) },
  { weight: 2, arbitrary: fc.tuple(node, alias).map(([of, to]) => addNode(of, { cNAMERecord: [to] })) },
  fc
    .tuple(node, servers)
    .filter(([of]) => !of.includes('*'))
    .map(([of, nSRecord]) => addNode(of, { nSRecord })),
  { weight: 2, arbitrary: fc.tuple(node, siteValues).map(([of, values]) => replace(nodeDn(of), values)) },
  { weight: 2, arbitrary: fc.oneof(domain.map(domainDn), node.map(nodeDn)).map(remove) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        mxHost,
        some('smtp 25', 'imaps 993', 'pop3 110', 'submission 587', 'https 443', 'dns 53'),
        some('192.0.2.25', '2001:db8::25'),
        some('5', '20'),
      )
      .map(([name, waypostHostService, waypostHostAddress, [preference]]) =>
        add(below('Hosts', name), {
          ...{ objectClass: 'waypostHost', cn: name, waypostHostPreference: preference ?? '10' },
          ...(waypostHostService.length === 0 ? {} : { waypostHostService }),
          ...(waypostHostAddress.length === 0 ? {} : { waypostHostAddress }),
        }),
      ),
  },
  mxHost.map((name) => remove(below('Hosts', name))),
  fc.tuple(fc.constantFrom('k1', 'k2'), fc.constantFrom({}, { waypostKeyDomain: 'acme.example' })).map(([cn, of]) =>
    add(below('Keys', cn), {
      ...{ objectClass: 'waypostDkimKey', cn, waypostKeyType: 'ed25519', waypostKeySecret: pem, ...of },
    }),
  ),
  fc
    .tuple(fc.constantFrom('k1', 'k2'), fc.constantFrom('new', 'signing', 'retired'))
    .map(([cn, waypostKeyState]) => replace(below('Keys', cn), { waypostKeyState })),
  fc
    .constantFrom(
      { waypostNameServerRole: 'secondary' },
      { waypostNameServerRole: 'primary', waypostZone: 'firm.test' },
    )
    .map((role) =>
      add(below('Hosts', 'ns2.other.test'), {
        ...{ objectClass: 'waypostNameServer', cn: 'ns2.other.test', waypostNameServerAddress: '192.0.2.53', ...role },
      }),
    ),
  fc.constant(remove(below('Hosts', 'ns2.other.test'))),
);

/** Many of the random changes do not go: that is part of the test. */
async function tryApply(directory: TestDirectory, changes: readonly DirectoryChange[]): Promise<void> {
  for (const each of changes)
    await directory.apply(each).catch((error) => {
      if (!(error instanceof Failure) || error.kind === 'unavailable') throw error;
    });
}

function judgeOf({ reader }: TestDirectory): NaiveZones {
  const rows = reader.arrays('SELECT dn, attributes FROM dit ORDER BY id');
  const entries = rows.map(([dn, attributes]) => {
    const values = new Map<string, string[]>();
    for (const [name, of] of attributesOfJson(String(attributes))) values.set(name, of.values.map(String));
    return { dn: String(dn), values };
  });
  return new NaiveZones(entries, OWN);
}

function assertAgree(directory: TestDirectory, drawn: readonly string[]): void {
  const judge = judgeOf(directory);
  const { reader } = directory;
  reader.snapshot(() => {
    const settings = readZoneSettings(reader, { ...OWN, mode: 'embedded' });
    const parts = { names: zoneNames(reader), settings };
    const served = (name: string, type: RecordType) => {
      const answer = lookUp(name, type, parts);
      if (answer.result === 'outside') return { result: answer.result, lines: [] };
      const also = answer.result === 'referral' ? answer.authorities : [];
      const lines = [...answer.answers, ...also].map(recordText);
      return { result: answer.result, lines: lines.map((line) => line.replace(/ SOA .*/, ' SOA')).sort() };
    };
    for (const name of new Set([...judge.owners(), ...drawn])) {
      for (const type of TYPES) assert.deepEqual(served(name, type), judge.answer(name, type), `${name} ${type}`);
      const { authority, apex } = judge.standing(name);
      const standing = authorityOf(name, parts.names, settings);
      assert.equal(standing.authority, authority, name);
      if (apex !== undefined) assert.equal(standing.zone, apex, name);
    }
    for (const name of judge.domains()) assert.notEqual(served(name, 'A').result, 'no-name', name);
  });
}

test('what is served is what a naive judge makes of the entries', async () => {
  const sequence = fc.array(change, { minLength: 15, maxLength: 45, size: 'max' });
  const asked = fc.array(
    fc.oneof(
      node,
      node.map((name) => `x.${name}`),
      domain,
    ),
    { minLength: 10, maxLength: 20, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(sequence, asked, async (changes, drawn) => {
      const directory = await openTestDirectory();
      try {
        const half = Math.ceil(changes.length / 2);
        await tryApply(directory, changes.slice(0, half));
        assertAgree(directory, drawn);
        await tryApply(directory, changes.slice(half));
        assertAgree(directory, drawn);
      } finally {
        directory.close();
      }
    }),
    { numRuns: Number(process.env['ZONE_RUNS'] ?? 25) },
  );
});
