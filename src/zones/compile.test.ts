// Each version of the compiler gives certain names and rows for certain entries: one that gives others has another number,
// so that stores which hold the old rows are compiled anew.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { idOf, type Revision } from '../base/ids.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { Attribute, Entry } from '../directory/entry.ts';
import { compileZoneName, ZONES_VERSION } from './compile.ts';

/** A version that is not released may still change its digest; a released one never does. */
const digests: Readonly<Record<number, string>> = {
  3: 'b69e4d731487f706a24c49ee86e37eac',
};

function entry(dn: string, values: Readonly<Record<string, string | readonly string[]>>): Entry {
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(values))
    attributes.set(name.toLowerCase(), { name, values: [value].flat() });
  const made = { createdAt: 0, modifiedAt: 0, revision: idOf<Revision>(5), uuid: 'u', parent: 1 };
  return { id: 5, dn, normalizedDn: normalizeDn(dn), attributes, ...made };
}

const long = 'x'.repeat(63);
const dns = [
  ...[
    'dc=acme,dc=example',
    'DC=ACME , dc=Example',
    'dc=example',
    'dc=a-b,dc=xn--bcher-kva,dc=example',
    'dc=3com,dc=com',
  ],
  ...['dc=bücher,dc=example', 'dc=a_b,dc=example', 'dc=a.b,dc=example', 'dc=-a,dc=example', 'dc=1,dc=2', 'dc=a\\00b'],
  ...[`dc=${long},dc=example`, `dc=${long}x,dc=example`, `dc=${long},dc=${long},dc=${long},dc=${long},dc=example`],
  ...['ou=People,dc=acme,dc=example', 'ou=acme', 'dc=acme+ou=x,dc=example'],
].map((dn) => `${dn},o=internet`);
const classes = [
  ...[['mailDomain'], ['inetDomainAlias'], ['mailDomain', 'inetDomainAlias'], ['MAILDOMAIN'], ['domain'], []],
  ['domain', 'inetDomain', 'mailDomain'],
  ['domain', 'inetDomain'],
];
/** What a domain entry may say besides, and what may mean something to DNS one day. */
const others = [
  ...[{}, { mailRoutingHosts: 'mx.example' }, { inetDomainBaseDN: 'o=other' }, { aliasedObjectName: 'o=internet' }],
  ...[{ waypostSource: 'dns:acme.example' }, { waypostSource: 'DNS:' }, { waypostSource: 'by hand' }],
  ...[{ aRecord: ['192.0.2.2', '192.0.2.1'] }, { tXTRecord: '"a b" c', dNSTTL: '60' }, { mXRecord: 'no' }],
  ...[
    { waypostApex: 'TRUE' },
    { waypostZoneAuthority: 'theirs' },
    { waypostOmitRecord: ['srv', 'mx'], waypostMtaSts: 'testing' },
  ],
  ...[{ waypostDmarc: 'v=DMARC1; p=reject', waypostTlsReport: 'mailto:tls@acme.example' }],
  ...['active', 'inactive', 'deleted'].map((status) => ({ inetDomainStatus: status, mailDomainStatus: status })),
];

test('the names and rows are those of this version', () => {
  const hash = createHash('sha256');
  let rows = 0;
  for (const dn of [...dns, 'o=internet', 'dc=acme,dc=example'])
    for (const objectClass of classes)
      for (const other of others) {
        const compiled = compileZoneName(entry(dn, { objectClass, ...other }));
        if (compiled !== undefined) rows++;
        hash.update(`${JSON.stringify(compiled) ?? ''}\n`);
      }
  assert.ok(rows > 100, `only ${rows} rows`);
  assert.equal(
    hash.digest('hex').slice(0, 32),
    digests[ZONES_VERSION],
    `version ${ZONES_VERSION} of zones gives other rows than it did: raise ZONES_VERSION in compile.ts and note the new ` +
      'digest here',
  );
});
