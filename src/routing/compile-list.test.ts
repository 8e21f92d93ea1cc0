import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf } from '../base/ids.ts';
import type { Entry } from '../directory/entry.ts';
import { compileRecipient } from './compile.ts';
import type { GroupRow } from './rows.ts';

function listOf(values: Readonly<Record<string, string | readonly string[]>>): GroupRow {
  const attributes = new Map(
    Object.entries({ objectClass: 'inetMailGroup', ...values }).map(([name, given]) => [
      name.toLowerCase(),
      { name, values: [given].flat() },
    ]),
  );
  const dn = 'cn=all,o=internet';
  const common = { id: 5, parent: 1, dn, normalizedDn: dn, uuid: 'u', revision: idOf<Entry['revision']>(1) };
  const entry: Entry = { ...common, attributes, createdAt: 0, modifiedAt: 0 };
  const row = compileRecipient(entry, { domains: [], account: idOf(0) });
  assert.ok(row?.kind === 'group');
  return row;
}

const problems = (row: GroupRow): unknown => row.problems?.map(({ attribute, reason }) => [attribute, reason]);

test('what says nothing about who may send leaves the list to everybody', () => {
  const row = listOf({ mgrpMsgRejectText: 'No', mgrpMsgRejectAction: 'reply', mgrpNoDuplicateChecks: 'yes' });
  assert.deepEqual([row.rules, row.unsupported, row.problems], [undefined, undefined, undefined]);
});

const many = (count: number, of: (n: number) => string) => Array.from({ length: count }, (_, n) => of(n));

test('what a list passes over is named', () => {
  const named = (values: Parameters<typeof listOf>[0]) =>
    listOf(values).problems?.map(({ attribute, value, reason }) => `${attribute} ${value}: ${reason}`);
  assert.deepEqual(named({ mgrpMsgRejectAction: 'toModerator' }), [
    'mgrpMsgRejectAction toModerator: mgrpModerator is missing: acts as reply',
  ]);
  assert.equal(named({ mgrpMsgRejectAction: 'toModerator', mgrpModerator: 'ann@acme.example' }), undefined);
  assert.deepEqual(named({ mgrpBroadcasterPolicy: 'passwd_req' }), [
    'mgrpBroadcasterPolicy passwd_req: mgrpAuthPassword is missing: no message has the password',
  ]);
  assert.equal(named({ mgrpBroadcasterPolicy: 'passwd_req', mgrpAuthPassword: 'x' }), undefined);
  assert.deepEqual(
    named({ mgrpAddHeader: many(51, (n) => `X-${n}: x`), mgrpRemoveHeader: many(51, (n) => `X-${n}`) }),
    ['mgrpAddHeader X-50: x: is one more than 50', 'mgrpRemoveHeader X-50: is one more than 50'],
  );
  assert.deepEqual(named({ mgrpBroadcasterPolicy: many(1001, () => 'AND') }), [
    'mgrpBroadcasterPolicy AND: is one more than 1000',
  ]);
});

test('parties are names, addresses and URLs; one that is none is a problem, and opens nothing', () => {
  const row = listOf({
    mgrpAllowedBroadcaster: [
      'UID=Ann, o=Internet',
      'mailto:Bob%40acme.example?subject=x',
      ' Cat@Acme.Example ',
      'ldap:///o=internet??sub?(l=Berlin)',
      'a=b@acme.example',
    ],
    mgrpDisallowedBroadcaster: ['nobody', 'mailto:', 'ldap://other.example/o=internet'],
  });
  assert.deepEqual(row.rules?.allowedBroadcasters, [
    { dn: 'uid=ann,o=internet' },
    { address: 'bob@acme.example', written: 'Bob@acme.example' },
    { address: 'cat@acme.example', written: 'Cat@acme.example' },
    { url: { base: 'o=internet', scope: 'sub', filter: '(l=Berlin)' } },
    { address: 'a=b@acme.example' },
  ]);
  assert.deepEqual(row.rules?.disallowedBroadcasters, []);
  assert.equal(row.problems?.length, 3);
  assert.deepEqual(listOf({ mgrpAllowedBroadcaster: 'nobody' }).rules, { allowedBroadcasters: [] });
});

test('policies, domains, sizes and what happens to a refused message', () => {
  const row = listOf({
    mgrpBroadcasterPolicy: ['SMTP_AUTH_REQUIRED, or', 'nonsense'],
    mgrpAllowedDomain: ['*.Acme.example', ''],
    mgrpMsgMaxSize: ' 2000 ',
    mgrpModerator: 'ann@acme.example',
    mgrpMsgRejectAction: 'TOMODERATOR',
    mgrpMsgRejectText: 'Ask Ann ☎\nnot me',
    mailRejectText: 'never read',
  });
  assert.deepEqual(row.rules, {
    authenticated: true,
    either: true,
    allowedDomains: ['*.acme.example'],
    sizeMax: 2000,
    moderators: [{ address: 'ann@acme.example' }],
    toModerator: true,
    rejectText: 'Ask Ann ?',
  });
  assert.deepEqual(problems(row), [
    ['mgrpBroadcasterPolicy', 'has a word that is none of SMTP_AUTH_REQUIRED, AUTH_REQ, OR, AND'],
    ['mgrpAllowedDomain', 'is no domain and no pattern of domains'],
  ]);
  const other = listOf({ mgrpMsgMaxSize: '-1', mailRejectText: 'No', mgrpAllowedDomain: 'a' });
  assert.deepEqual(other.rules, { allowedDomains: ['a'], rejectText: 'No' });
  assert.deepEqual(problems(other), [['mgrpMsgMaxSize', 'is no number of octets']]);
});

test('what cannot be obeyed keeps mail waiting', () => {
  const row = listOf({
    mgrpBroadcasterPolicy: 'PASSWORD_REQUIRED',
    mgrpAuthPassword: 'x',
    mgrpErrorsTo: 'a@b.example',
  });
  assert.equal(row.unsupported, undefined);
  assert.deepEqual(row.texts, { errorsTo: 'a@b.example', password: true });
  const many = Array.from({ length: 1001 }, (_, n) => `x${n}@acme.example`);
  assert.deepEqual(listOf({ mgrpDisallowedBroadcaster: many }).unsupported, [
    'mgrpDisallowedBroadcaster: more than 1000 values',
  ]);
});

test('a list to which its own failures would go says nothing of where they go', () => {
  const row = listOf({ mail: 'news@acme.example', mgrpErrorsTo: 'mailto:News@acme.example' });
  assert.equal(row.texts, undefined);
  assert.ok(
    row.problems?.some(({ attribute, reason }) => attribute === 'mgrpErrorsTo' && reason === 'is the list itself'),
  );
});

test('URLs find members; one of another host, or with a broken filter, is a problem and finds nobody', () => {
  const row = listOf({
    memberURL: ['ldap:///o=Internet??sub?(l=Berlin)', 'ldap://other.example/o=internet??sub'],
    mgrpDeliverTo: ['ldap:///o=internet??one', 'ldap:///o=internet??sub?(l=', 'ann@acme.example'],
  });
  assert.deepEqual(row.urls, [
    { base: 'o=internet', scope: 'sub', filter: '(l=Berlin)' },
    { base: 'o=internet', scope: 'one', filter: '(objectClass=*)' },
  ]);
  assert.equal(row.problems?.length, 3);
  const broken = listOf({ memberURL: 'ldap://other.example/o=internet' });
  assert.deepEqual([broken.urls, broken.unsupported, broken.problems?.length], [undefined, undefined, 1]);
});
