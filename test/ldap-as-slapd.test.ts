// Controls, aliases and referrals beside OpenLDAP's slapd: the same requests get equal codes, entries, references and controls.
//
// Random operations on one small tree, by a seed; LDAP_OPERATIONS=20000 makes it long. What is compared: result code, matched
// name, referral, entries in any order (sorted ones: their keys in order), references, the entries of pre-read and post-read
// Exceptions, all of them here:
//   an operation that cannot be sorted as asked   slapd fails it with 16 or 18; ours is unsorted, or 12 where that is critical
//   the subtree deletion                          Debian's slapd does not have it
//   URLs without a name                          slapd leaves them so at the referral itself; RFC 3296 has the name, as ours
//   ManageDsaIT beside derefAliases              slapd follows aliases all the same: asked with `never` alone
//   a deletion at a referral with an assertion   slapd looks at the assertion first there, at the referral first in a modification
//   references of a search                        slapd gives them among the entries, and none where it sorts; we before them
//   what an alias leads to is deleted             its value goes here, and stays at slapd: not asked
//   twice the same                                slapd gives an entry for each alias that leads to it, and a reference for each page
//   a rename or deletion of the subtrees' tops    66 here as there, and not asked: subtree moves are tested elsewhere

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { RawClient } from '../src/protocols/ldap/testing.ts';
import { assertion } from '../src/wire/ldap/controls/assertion.ts';
import { controlOf } from '../src/wire/ldap/controls/codec.ts';
import { manageDsaIt } from '../src/wire/ldap/controls/manage-dsa-it.ts';
import { pagedResults } from '../src/wire/ldap/controls/paged-results.ts';
import {
  postReadRequest,
  postReadResponse,
  preReadRequest,
  preReadResponse,
} from '../src/wire/ldap/controls/read-entry.ts';
import { sortRequest } from '../src/wire/ldap/controls/sort.ts';
import type { Control } from '../src/wire/ldap/controls.ts';
import { parseFilter } from '../src/wire/ldap/filter-text.ts';
import type { LdapRequest } from '../src/wire/ldap/message.ts';
import type { DerefAliases, SearchEntry, SearchScope } from '../src/wire/ldap/operations/search.ts';
import { type Slapd, startSlapd } from './sessions/ldap/slapd.ts';
import { peersMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const OPERATIONS = Number(process.env['LDAP_OPERATIONS'] ?? 400);
const skip = peersMissing('slapd', 'ldapadd');

let slapd: Slapd;
let waypost: Waypost;
let ours: RawClient;
let theirs: RawClient;

before(async () => {
  if (skip !== false) return;
  [slapd, waypost] = await Promise.all([startSlapd(), startWaypost()]);
  ours = await RawClient.open(waypost.listeners.ldap.port);
  theirs = await RawClient.open(Number(new URL(slapd.url).port));
  assert.equal(await ours.bind('cn=Directory Manager', waypost.ldap.password), 0);
  assert.equal(await theirs.bind(slapd.admin, slapd.password), 0);
});
after(async () => {
  ours?.socket.destroy();
  theirs?.socket.destroy();
  await waypost?.stop();
  await slapd?.stop();
});

interface Answer {
  readonly code: number;
  readonly matched: string;
  readonly referral: readonly string[];
  readonly entries: readonly unknown[];
  readonly references: readonly string[];
  readonly read: readonly unknown[];
}

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

const shown = ({ dn, attributes }: SearchEntry): unknown => ({
  dn,
  attributes: attributes.map(({ name, values }) => [name, [...values].sort()]).sort(byText),
});

/** All pages of it. */
async function ask(client: RawClient, operation: LdapRequest, controls: readonly Control[]): Promise<Answer> {
  const entries: SearchEntry[] = [];
  const references: string[] = [];
  let asked = controls;
  for (;;) {
    client.request(operation, asked);
    for (;;) {
      const next = await client.response();
      assert.ok(next, 'the connection stays open');
      if (next.operation.kind === 'searchEntry') entries.push(next.operation);
      else if (next.operation.kind === 'searchReference') references.push(...next.operation.uris);
      else {
        assert.ok('result' in next.operation);
        const { resultCode, matchedDn, referral } = next.operation.result;
        const page = next.controls.find(({ type }) => type === pagedResults.type);
        const { cookie } = page === undefined ? { cookie: new Uint8Array() } : pagedResults.decode(page.value);
        if (cookie.length > 0 && resultCode === 0) {
          const { size } = pagedResults.decode(asked.find(({ type }) => type === pagedResults.type)!.value);
          asked = [
            ...controls.filter(({ type }) => type !== pagedResults.type),
            controlOf(pagedResults, { size, cookie }, true),
          ];
          break;
        }
        const isSorted = controls.some(({ type }) => type === sortRequest.type);
        const read = [preReadResponse, postReadResponse].flatMap((codec) =>
          next.controls.filter(({ type }) => type === codec.type).map(({ value }) => shown(codec.decode(value))),
        );
        return {
          code: resultCode,
          matched: matchedDn,
          referral: [...referral].sort(),
          entries: isSorted ? once(entries).map(keyOf) : once(entries).map(shown).sort(byText),
          references: isSorted ? [] : [...new Set(references)].sort(),
          read,
        };
      }
    }
  }
}

const once = (entries: readonly SearchEntry[]): readonly SearchEntry[] => [
  ...new Map(entries.map((entry) => [entry.dn, entry])).values(),
];

const keyOf = ({ attributes }: SearchEntry): unknown =>
  attributes.find(({ name }) => name === 'sn')?.values.map((value) => String(value).toLowerCase()) ?? 'none';

const TOP = 'ou=beside,o=internet';
const OUS = [`ou=a,${TOP}`, `ou=b,${TOP}`];
const NAMES = ['n1', 'n2', 'n3'];
const dn = fc.oneof(
  fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...OUS)).map(([name, ou]) => `cn=${name},${ou}`),
  fc.constantFrom(`cn=deep,cn=n1,${OUS[0]}`, `cn=far,cn=n2,${OUS[1]}`),
);
/** Nobody deletes them: an alias follows that here, and not at slapd. */
const FIXED = [`cn=fixed,${OUS[0]}`, `cn=loop,${OUS[1]}`] as const;
const TARGETS = [TOP, ...OUS, ...FIXED, `cn=nobody,${OUS[0]}`];
const base = fc.oneof({ weight: 3, arbitrary: dn }, { weight: 2, arbitrary: fc.constantFrom(TOP, ...OUS, ...FIXED) });

const person = (name: string, sn: string): { name: string; values: string[] }[] => [
  { name: 'objectClass', values: ['person'] },
  { name: 'cn', values: [name] },
  { name: 'sn', values: [sn] },
];
const cnOf = (name: string): string => name.slice(3, name.indexOf(','));
const sn = fc.constantFrom('Alpha', 'beta', 'Gamma', 'alpha');

const filter = fc.constantFrom('(objectClass=*)', '(sn=alpha)', '(!(sn=alpha))', '(cn=n1)', '(description=*)');
const manages = fc.boolean().map((yes) => (yes ? [controlOf(manageDsaIt, true, true)] : []));
const asserts = fc
  .option(filter, { freq: 3 })
  .map((text) => (text === null ? [] : [controlOf(assertion, parseFilter(text), true)]));
const reads = (pre: boolean, post: boolean) =>
  fc
    .tuple(fc.boolean(), fc.boolean())
    .map(([before, after]) => [
      ...(pre && before ? [controlOf(preReadRequest, ['sn', 'description', 'cn'], true)] : []),
      ...(post && after ? [controlOf(postReadRequest, ['sn', 'description', 'cn'], true)] : []),
    ]);
const all = (...lists: fc.Arbitrary<Control[]>[]): fc.Arbitrary<Control[]> =>
  fc.tuple(...lists).map((each) => each.flat());

type Asked = readonly [LdapRequest, readonly Control[]];

const adds: fc.Arbitrary<Asked> = fc
  .tuple(
    dn,
    sn,
    fc.constantFrom('person', 'person', 'person', 'alias', 'referral'),
    fc.constantFrom(...TARGETS),
    all(manages, reads(false, true)),
  )
  .map(([name, surname, kind, target, controls]) => {
    const attributes =
      kind === 'person'
        ? person(cnOf(name), surname)
        : [
            { name: 'objectClass', values: [kind, 'extensibleObject'] },
            { name: 'cn', values: [cnOf(name)] },
            kind === 'alias'
              ? { name: 'aliasedObjectName', values: [target] }
              : { name: 'ref', values: ['ldap://there.example/ou=x,o=y', 'ldap://other.example/o=z'] },
          ];
    return [{ kind: 'add', dn: name, attributes }, controls] as const;
  });

const modifies: fc.Arbitrary<Asked> = fc
  .tuple(dn, fc.constantFrom('add', 'replace', 'delete'), sn, all(manages, asserts, reads(true, true)))
  .map(([name, operation, value, controls]) => {
    const modification = { operation: operation as 'add', attribute: 'description', values: [value] };
    return [{ kind: 'modify', dn: name, modifications: [modification] }, controls] as const;
  });

const deletes: fc.Arbitrary<Asked> = fc
  .tuple(
    dn,
    fc.oneof(all(manages, reads(true, false)), all(fc.constant([controlOf(manageDsaIt, true, true)]), asserts)),
  )
  .map(([name, controls]) => [{ kind: 'delete', dn: name }, controls] as const);

const compares: fc.Arbitrary<Asked> = fc
  .tuple(dn, sn, all(manages, asserts))
  .map(([name, value, controls]) => [{ kind: 'compare', dn: name, attribute: 'sn', value }, controls] as const);

const sorts = fc
  .option(fc.boolean(), { freq: 2 })
  .map((reverse) =>
    reverse === null ? [] : [controlOf(sortRequest, [{ attribute: 'sn', rule: '2.5.13.3', reverse }], true)],
  );
const pages = fc
  .option(fc.integer({ min: 1, max: 4 }), { freq: 2 })
  .map((size) => (size === null ? [] : [controlOf(pagedResults, { size, cookie: new Uint8Array() }, true)]));

const searches: fc.Arbitrary<Asked> = fc
  .tuple(
    base,
    fc.constantFrom<SearchScope>('base', 'one', 'sub'),
    fc.constantFrom<DerefAliases>('never', 'searching', 'finding', 'always'),
    filter,
    fc.oneof(all(manages, asserts), sorts, pages),
  )
  .map(([baseObject, scope, derefAliases, text, controls]) => [
    {
      kind: 'search',
      baseObject,
      scope,
      derefAliases: controls.some(({ type }) => type === manageDsaIt.type) ? 'never' : derefAliases,
      sizeLimit: 0,
      timeLimit: 0,
      typesOnly: false,
      filter: parseFilter(text),
      attributes: ['sn', 'cn'],
    },
    controls,
  ]);

const operation = fc.oneof(
  { weight: 3, arbitrary: adds },
  { weight: 2, arbitrary: modifies },
  { weight: 2, arbitrary: deletes },
  { weight: 1, arbitrary: compares },
  { weight: 6, arbitrary: searches },
);

const described = (name: string, controls: readonly Control[] = []): Asked => [
  { kind: 'modify', dn: name, modifications: [{ operation: 'add', attribute: 'description', values: ['x'] }] },
  controls,
];
const added = (name: string, kind: 'person' | 'alias' | 'referral', to = `cn=nobody,${OUS[0]}`): Asked => [
  {
    kind: 'add',
    dn: name,
    attributes:
      kind === 'person'
        ? person(cnOf(name), 'Alpha')
        : [
            { name: 'objectClass', values: [kind, 'extensibleObject'] },
            { name: 'cn', values: [cnOf(name)] },
            kind === 'alias'
              ? { name: 'aliasedObjectName', values: [to] }
              : { name: 'ref', values: ['ldap://there.example/ou=x,o=y'] },
          ],
  },
  [],
];
const searched = (name: string, derefAliases: DerefAliases, controls: readonly Control[] = []): Asked => [
  {
    ...{ kind: 'search', baseObject: name, scope: 'sub', derefAliases, sizeLimit: 0, timeLimit: 0, typesOnly: false },
    ...{ filter: parseFilter('(objectClass=*)'), attributes: ['sn'] },
  },
  controls,
];
const unmet = [controlOf(assertion, parseFilter('(!(sn=alpha))'), true)];
const [n1, n2, n3] = [`cn=n1,${OUS[0]}`, `cn=n2,${OUS[1]}`, `cn=n3,${OUS[0]}`] as const;

/** Each kind of answer once, whatever chance makes of the rest: the operation, and its code on both sides. */
const KNOWN: readonly (readonly [Asked, number])[] = [
  [added(n1, 'person'), 0],
  [added(n1, 'person'), 68],
  [added(n2, 'referral'), 0],
  [added(n3, 'alias'), 0],
  [added(`cn=far,${n2}`, 'person'), 10],
  [described(n1), 0],
  [described(n1, unmet), 122],
  [described(n2), 10],
  [described(`cn=n2,${OUS[0]}`), 32],
  [searched(TOP, 'never'), 0],
  [searched(n2, 'never'), 10],
  [searched(n3, 'always'), 33],
  [searched(n1, 'never', unmet), 122],
  [[{ kind: 'compare', dn: n1, attribute: 'sn', value: 'alpha' }, []], 6],
  [[{ kind: 'compare', dn: n2, attribute: 'sn', value: 'alpha' }, []], 10],
  [[{ kind: 'delete', dn: n1 }, unmet.concat(controlOf(manageDsaIt, true, true))], 122],
  [[{ kind: 'delete', dn: n1 }, []], 0],
];

test('random operations get the same answers as from slapd', { skip }, async () => {
  for (const name of [TOP, ...OUS]) {
    const attributes = [
      { name: 'objectClass', values: ['organizationalUnit'] },
      { name: 'ou', values: [name.slice(3, name.indexOf(','))] },
    ];
    for (const client of [ours, theirs])
      assert.equal((await ask(client, { kind: 'add', dn: name, attributes }, [])).code, 0);
  }
  const fixed = [added(FIXED[0], 'person'), added(FIXED[1], 'alias', FIXED[1])];
  for (const [request] of fixed)
    for (const client of [ours, theirs]) assert.equal((await ask(client, request, [])).code, 0);
  const seed = Number(process.env['LDAP_SEED'] ?? 20261127);
  const done: string[] = [];
  const asked: readonly (readonly [Asked, number | undefined])[] = [
    ...KNOWN,
    ...fc.sample(operation, { numRuns: OPERATIONS, seed }).map((each) => [each, undefined] as const),
  ];
  for (const [[request, controls], code] of asked) {
    const [own, other] = [await ask(ours, request, controls), await ask(theirs, request, controls)];
    const text = `${JSON.stringify(request)} ${controls.map(({ type }) => type).join(' ')}`;
    assert.deepEqual(
      own,
      other,
      `${text}\nafter\n${done.slice(-30).join('\n')}\nseed ${seed}, operation ${done.length}`,
    );
    done.push(`${own.code} ${text}`);
    if (code !== undefined) assert.equal(own.code, code, text);
  }
});
