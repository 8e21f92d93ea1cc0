// `route` at a past revision says what `route` said then, whatever has changed since.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, type Revision } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { parseAddress } from '../message/address.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  openTestDirectory,
  remove,
  replace,
  settled,
  type TestDirectory,
  testSite,
  userDn,
} from '../provisioning/testing.ts';
import { explain } from './explain.ts';
import { checkPast, pastTables } from './past.ts';
import { pruneHistory } from './prune-history.ts';
import type { Step } from './resolution.ts';
import { resolve } from './resolve.ts';
import { nextHopRule } from './rewrite/rule-set.ts';
import { INTERNAL_REQUEST, type RouteRequest } from './route-request.ts';

const NAMES = ['ann', 'ben', 'cid'];
const DOMAINS = ['acme.example', 'b.example'];
const USERS = DOMAINS.flatMap((domain) => NAMES.map((name) => `${name}@${domain}`));
const LISTS = DOMAINS.map((domain) => `all@${domain}`);
const ASKED = [...USERS, ...LISTS, 'nobody@b.example', 'ann+news@acme.example', 'x@elsewhere.example'];

const status = fc.constantFrom('active', 'inactive', 'disabled', 'hold', 'deleted');
const user = fc.constantFrom(...USERS);
const list = fc.constantFrom(...LISTS);
const dnOfUser = user.map(userDn);
const MAIL_HOST = fc.constantFrom<string | string[]>('mail.test.example', 'other.test.example', []);

const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
  user.map((address) => addUser(address)),
  user.map((address) => remove(userDn(address))),
  fc.tuple(user, status).map(([address, value]) => replace(userDn(address), { mailUserStatus: value })),
  fc.tuple(user, MAIL_HOST).map(([address, value]) => replace(userDn(address), { mailHost: value })),
  fc
    .tuple(user, fc.constantFrom('x@b.example', 'y@acme.example'))
    .map(([address, value]) => replace(userDn(address), { mailAlternateAddress: value })),
  fc.tuple(list, fc.uniqueArray(dnOfUser, { maxLength: 3 })).map(([address, members]) => addGroup(address, members)),
  list.map((address) => remove(groupDn(address))),
  fc
    .tuple(list, fc.uniqueArray(dnOfUser, { minLength: 1, maxLength: 4 }))
    .map(([address, members]) => replace(groupDn(address), { uniqueMember: members })),
  fc.tuple(list, dnOfUser, fc.constantFrom('add', 'delete')).map(([address, member, kind]) => ({
    kind: 'modify' as const,
    dn: groupDn(address),
    modifications: [{ operation: kind as 'add' | 'delete', attribute: 'uniqueMember', values: [member] }],
  })),
  fc
    .tuple(list, fc.constantFrom<string[]>([], ['ldap:///o=internet??sub?(uid=ben)']))
    .map(([address, memberURL]) => replace(groupDn(address), { memberURL })),
  fc
    .tuple(list, fc.constantFrom<string[]>([], [userDn('ann@acme.example')], [groupDn('all@b.example')]))
    .map(([address, mgrpAllowedBroadcaster]) => replace(groupDn(address), { mgrpAllowedBroadcaster })),
  fc
    .tuple(fc.constantFrom(...DOMAINS), status)
    .map(([domain, value]) => replace(domainDn(domain), { mailDomainStatus: value })),
  fc
    .tuple(fc.constantFrom(...DOMAINS), fc.constantFrom<string | string[]>('ann@acme.example', []))
    .map(([domain, value]) => replace(domainDn(domain), { mailDomainCatchallAddress: value })),
  fc
    .constantFrom('192.0.2.1', '192.0.2.2')
    .map((address) => replace('cn=mail.test.example,ou=Hosts,ou=Waypost,o=internet', { waypostHostAddress: address })),
);

const requests: readonly RouteRequest[] = [
  INTERNAL_REQUEST,
  {
    sender: parseAddress('ben@b.example'),
    caller: { kind: 'anonymous' },
    mayRelay: false,
    door: 'smtp',
    peer: '192.0.2.1',
  },
];

/** What `route` says, of every address and each way to ask. */
function now({ cache }: TestDirectory): string {
  return said((address, request) => {
    const resolution = cache.resolve(parseAddress(address), request, { explain: true });
    assert.ok('reply' in resolution);
    return resolution;
  });
}

function then({ reader }: TestDirectory, revision: Revision): string {
  return reader.snapshot(() => {
    checkPast(reader, revision);
    const tables = pastTables(reader, revision, testSite);
    return said((address, request) => {
      const answer = resolve(parseAddress(address), request, tables, testSite, { explain: true });
      assert.ok('resolution' in answer, 'the past is all there');
      return answer.resolution;
    });
  });
}

function said(ask: (address: string, request: RouteRequest) => Parameters<typeof explain>[0]): string {
  const all = ASKED.flatMap((address) => requests.map((request) => explain(ask(address, request), testSite)));
  const known = all.map((each) => ({ ...each, steps: withoutFound(each.steps) }));
  return JSON.stringify(known, undefined, 1);
}

/** Whom a URL finds is said of now alone. */
function withoutFound(steps: readonly Step[]): Step[] {
  let from: number | undefined;
  return steps.filter(({ detail, depth = 0 }) => {
    if (from !== undefined && depth > from) return false;
    from = /^(whom )?the URLs of .* (find \d|found is not known)/.test(detail) ? depth : undefined;
    return from === undefined;
  });
}

test('over a thousand random changes, each revision answers as it did then', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 100, maxLength: 100, size: 'max' }), async (changes) => {
      const directory = await openTestDirectory();
      try {
        await directory.apply(...DOMAINS.map((domain) => addDomain(domain)));
        await directory.apply(...USERS.slice(0, 4).map((address) => addUser(address)));
        const told = new Map<Revision, string>();
        for (const each of changes) {
          await directory.apply(each).catch(() => {});
          told.set(directory.reader.revision(), now(directory));
        }
        for (const [revision, text] of told) {
          assert.equal(then(directory, revision), text, `revision ${revision}`);
          compared++;
        }
      } finally {
        directory.close();
      }
    }),
    { numRuns: 10 },
  );
  assert.ok(compared > 300, `only ${compared} revisions`);
});

test('before the history, and behind the last change, nothing is said', async () => {
  const directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { reader, writer } = directory;
  const last = reader.revision();
  assert.throws(() => checkPast(reader, idOf<Revision>(last + 1)), /the directory is at revision/);
  checkPast(reader, idOf<Revision>(0));
  const shorten = operation('test.shorten', async (tx, below: number) => {
    await tx.run('DELETE FROM dit_change WHERE revision < ?', below);
  });
  await writer.execute(shorten, last - 1);
  await writer.execute(pruneHistory, null);
  checkPast(reader, idOf<Revision>(last - 1));
  assert.throws(
    () => checkPast(reader, idOf<Revision>(last - 2)),
    new RegExp(`^Failure: the history begins at revision ${last - 1}, 20\\d\\d-`),
  );
  directory.close();
});

test('a long history goes a slice at a time until nothing of it is left', async () => {
  const directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { reader, writer } = directory;
  const last = reader.revision();
  const lengthen = operation('test.lengthen', async (tx, below: number) => {
    await tx.run(
      `INSERT INTO routing_history (tenant, kind, key, revision, before)
       SELECT (SELECT tenant FROM routing_state), 'alias', 'a' || value || '@acme.example', 1, NULL
       FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 4500) SELECT value FROM n)`,
    );
    await tx.run('DELETE FROM dit_change WHERE revision < ?', below);
  });
  await writer.execute(lengthen, last);
  const old = (): unknown => reader.get('SELECT count(*) AS n FROM routing_history WHERE revision < ?', last)?.['n'];
  let calls = 0;
  while ((await writer.execute(pruneHistory, null)) === 2000) calls++;
  assert.deepEqual([old(), calls], [0, 2]);
  directory.close();
});

test('the lines of the configuration are as they are now', async () => {
  const site = { ...testSite, fileRules: [nextHopRule('elsewhere.example', '[192.0.2.7]')] };
  const { reader, cache, close } = await openTestDirectory([], undefined, site);
  const address = parseAddress('x@elsewhere.example');
  const today = settled(cache.resolve(address, INTERNAL_REQUEST));
  assert.equal(today.targets[0]?.destination, '[192.0.2.7]');
  reader.snapshot(() => {
    const answer = resolve(address, INTERNAL_REQUEST, pastTables(reader, reader.revision(), site), site);
    assert.ok('resolution' in answer);
    assert.deepEqual(answer.resolution.targets, today.targets);
  });
  close();
});

test('a list that is gone has its members of then', async () => {
  const directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('ben@acme.example'));
  await directory.apply(
    addGroup(
      'all@acme.example',
      ['ann', 'ben'].map((name) => userDn(`${name}@acme.example`)),
    ),
  );
  const before = directory.reader.revision();
  const text = now(directory);
  await directory.apply(remove(groupDn('all@acme.example')));
  await directory.apply(
    add('cn=other,ou=Groups,dc=acme,dc=example,o=internet', {
      objectClass: 'groupOfNames',
      cn: 'other',
      member: 'o=internet',
    }),
  );
  assert.notEqual(now(directory), text);
  assert.equal(then(directory, before), text);
  directory.close();
});
