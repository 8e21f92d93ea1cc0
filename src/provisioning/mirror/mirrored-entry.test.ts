// Who of a source's entries has mail, and by which addresses, under each of its settings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, idOf } from '../../base/ids.ts';
import { entryRecord } from '../../directory/ldif-text.ts';
import { formatAddress } from '../../message/address.ts';
import { compileRecipient, recipientKindOf } from '../../routing/compile.ts';
import { addressOfKey } from '../../routing/rows.ts';
import { sourceOfChange } from '../ldap-source.ts';
import { providedEntry } from '../replica/entry-of.ts';
import { EntryMap } from './mirrored-entry.ts';

type Values = Record<string, readonly string[]>;

const listed = (values: Values) => Object.entries(values).map(([name, each]) => ({ name, values: each }));

function sourceOf(settings: Values) {
  return sourceOfChange({
    kind: 'add',
    dn: 'cn=corp,ou=Sources,ou=Waypost,o=internet',
    attributes: listed({
      ...{ objectClass: ['waypostLdapSource'], waypostUrl: ['ldaps://ldap.corp.example'], waypostBase: ['dc=corp'] },
      ...{ waypostSourceDomain: ['corp.example'], ...settings },
    }),
  });
}

const mapOf = (settings: Values) => new EntryMap(sourceOf(settings));

function seen(settings: Values, values: Values, dn = 'uid=ann,dc=corp') {
  const source = sourceOf(settings);
  const attributes = listed({ entryUUID: ['00000000-0000-4000-8000-000000000001'], ...values });
  const entry = new EntryMap(source).entry({ kind: 'searchEntry', dn, attributes }, 0);
  if (entry === undefined) return undefined;
  const row = compileRecipient(entry, { domains: source.domains, account: idOf<AccountId>(0) });
  const addresses = (row?.addresses ?? []).map((key) => formatAddress(addressOfKey(key)));
  return [recipientKindOf(entry) ?? 'nobody', ...addresses].join(' ');
}

const person = { objectClass: ['inetOrgPerson'], mail: ['ann@corp.example', 'a@corp.example', 'ann@else.example'] };
const group = { objectClass: ['groupOfNames'], mail: ['all@corp.example'], member: ['uid=ann,dc=corp'] };

test('persons with an address are users, groups of names lists', () => {
  assert.equal(seen({}, person), 'user ann@corp.example a@corp.example');
  assert.equal(seen({}, { objectClass: ['person'] }), 'nobody');
  assert.equal(seen({}, group), 'group all@corp.example');
  assert.equal(seen({}, { objectClass: ['device'], mail: ['x@corp.example'] }), 'nobody');
});

test('filters say who has mail in place of classes', () => {
  assert.equal(seen({ waypostUserFilter: ['(title=mail)'] }, person), 'nobody');
  assert.equal(seen({ waypostUserFilter: ['(title=mail)'] }, { ...person, title: ['mail'] })?.split(' ')[0], 'user');
  assert.equal(seen({ waypostGroupFilter: ['(cn=lists)'] }, group), 'nobody');
  const sun = { objectClass: ['person', 'inetMailUser'], mail: ['ann@corp.example'] };
  assert.equal(seen({ waypostSourceSchema: ['sun'] }, sun), 'user ann@corp.example');
  assert.equal(seen({ waypostSourceSchema: ['sun'] }, person), 'nobody');
  assert.equal(seen({ waypostSourceSchema: ['sun'], waypostUserFilter: ['(title=mail)'] }, sun), 'nobody');
});

test('an attribute of ours is theirs, of a type that no schema here has too', () => {
  const settings = { waypostAttribute: ['mail=corpAddress'] };
  assert.equal(seen(settings, { ...person, corpAddress: ['corp@corp.example'] }), 'user corp@corp.example');
  assert.equal(seen(settings, person), 'nobody');
});

test('what is outside of the base, or has no UUID, is left out', () => {
  assert.equal(seen({}, person, 'uid=ann,dc=other'), undefined);
  assert.equal(seen({}, { ...person, entryUUID: [] }), undefined);
});

test('an attribute whose name would be lines of its own in LDIF is left out, of a source and of a provider', () => {
  const wrong = ['sn: x\n\ndn: cn=Directory Manager\nuserPassword', 'a:', '', 'a b', 'ä', ';x', '-'];
  const names = ['sn', 'cn;lang-de', '2.5.4.13', ...wrong];
  const attributes = listed(Object.fromEntries(names.map((name) => [name, ['x']])));
  const uuid = '00000000-0000-4000-8000-000000000001';
  const facts = JSON.stringify({ id: 1, revision: 1, createdAt: 1, modifiedAt: 1 });
  const given = [...attributes, ...listed({ waypostEntryFacts: [facts] })];
  const provided = providedEntry({ kind: 'searchEntry', dn: 'cn=ann', attributes: given }, uuid)!.entry;
  const mirrored = mapOf({}).take({ kind: 'searchEntry', dn: 'uid=ann,dc=corp', attributes }, 0, uuid)!;
  for (const entry of [provided, mirrored])
    assert.deepEqual(
      entry.attributes.map(({ name }) => name),
      ['sn', 'cn;lang-de', '2.5.4.13'],
    );
  for (const name of wrong) assert.throws(() => entryRecord('cn=ann', [{ name, values: ['x'] }]), { kind: 'invalid' });
});
