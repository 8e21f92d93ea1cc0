// Rights of members of directory lists: what is worked out, upward and kept, against a judge who expands every list downward each time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TENANT } from '../base/tenant.ts';
import { entryByUuid, findEntry } from '../directory/entries.ts';
import { partiesOf } from '../routing/identities.ts';
import { MailboxRights } from '../routing/mailbox-rights.ts';
import { INBOX, readAccount } from '../store/accounts.ts';
import { setAcl } from '../store/acl.ts';
import type { MailboxKey } from '../store/mailbox-key.ts';
import { findMailbox } from '../store/mailboxes.ts';
import { ANYONE, MAILBOX_RIGHTS, type RightsChange } from '../store/rights.ts';
import { makeUrlKeys } from '../store/url-keys.ts';
import {
  addDomain,
  addGroup,
  addUser,
  groupDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  userDn,
} from './testing.ts';

const USERS = ['ann@acme.example', 'bob@acme.example', 'cat@acme.example', 'dan@globex.example'];
const LISTS = ['one@acme.example', 'two@acme.example', 'three@acme.example', 'four@globex.example'];
const TOWNS = ['Bern', 'Rome'];

interface Member {
  readonly by: 'dn' | 'address';
  readonly of: string;
}

/** The world as the judge knows it. */
interface World {
  readonly towns: Map<string, string>;
  readonly members: Map<string, readonly Member[]>;
  /** The town that a list's URL finds, and in which lists it looks besides: those that are called after it. */
  readonly urls: Map<string, string>;
  readonly rows: Map<string, string>;
}

const who = fc.constantFrom(...USERS, ...LISTS);
const member = fc.record({ by: fc.constantFrom('dn' as const, 'address' as const), of: who });
const letters = fc.subarray([...MAILBOX_RIGHTS]).map((chosen) => chosen.join(''));
const step = fc.oneof(
  fc.record({
    do: fc.constant('members' as const),
    list: fc.constantFrom(...LISTS),
    members: fc.uniqueArray(member, { maxLength: 3, selector: ({ by, of }) => by + of }),
  }),
  fc.record({
    do: fc.constant('url' as const),
    list: fc.constantFrom(...LISTS),
    town: fc.option(fc.constantFrom(...TOWNS)),
  }),
  fc.record({ do: fc.constant('town' as const), who, town: fc.constantFrom(...TOWNS) }),
  fc.record({
    do: fc.constant('acl' as const),
    who: fc.constantFrom(...USERS.slice(1), ...LISTS, ANYONE),
    negative: fc.boolean(),
    change: fc.constantFrom<RightsChange>('add', 'remove', 'replace'),
    rights: letters,
  }),
);

function dnOf(address: string): string {
  return USERS.includes(address) ? userDn(address) : groupDn(address);
}

test('members of lists, nested, circular and dynamic, have the rights of these lists, less what is taken', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
      const directory = await openTestDirectory();
      try {
        const world = await begin(directory);
        const { reader, shared } = directory;
        const rights = new MailboxRights({
          reader,
          parties: partiesOf(reader),
          moves: () => shared.rightsMoves(),
          onMoved() {},
        });
        const account = (address: string) =>
          readAccount(reader, { uuid: findEntry(reader, dnOf(address))!.uuid, tenant: TENANT });
        const inbox = findMailbox(reader, account(USERS[0]!), 'INBOX')!;
        const key = { owner: inbox.owner, mailbox: inbox.id };
        for (const each of steps) {
          await take(directory, world, key, each);
          for (const user of USERS) assert.equal(rights.of(account(user), key).rights, judged(world, user), user);
        }
      } finally {
        directory.close();
      }
    }),
    { numRuns: 20 },
  );
});

async function begin({ apply }: TestDirectory): Promise<World> {
  await apply(addDomain('acme.example'), addDomain('globex.example'));
  await apply(...USERS.map((user) => addUser(user, { businessCategory: TOWNS[0]! })));
  await apply(...LISTS.map((list) => addGroup(list, [], { businessCategory: TOWNS[0]! })));
  return {
    towns: new Map([...USERS, ...LISTS].map((each) => [each, TOWNS[0]!])),
    members: new Map(),
    urls: new Map(),
    rows: new Map(),
  };
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(
  { apply, reader, writer }: TestDirectory,
  world: World,
  key: MailboxKey,
  each: Step,
): Promise<void> {
  switch (each.do) {
    case 'members': {
      world.members.set(each.list, each.members);
      const of = (by: Member['by']) => each.members.filter((one) => one.by === by);
      await apply(
        replace(groupDn(each.list), {
          uniqueMember: of('dn').map((one) => dnOf(one.of)),
          mgrpRFC822MailMember: of('address').map((one) => one.of),
        }),
      );
      return;
    }
    case 'url':
      if (each.town === null) world.urls.delete(each.list);
      else world.urls.set(each.list, each.town);
      await apply(
        replace(groupDn(each.list), {
          memberURL: each.town === null ? [] : `ldap:///o=internet??sub?(businessCategory=${each.town})`,
        }),
      );
      return;
    case 'town':
      world.towns.set(each.who, each.town);
      await apply(replace(dnOf(each.who), { businessCategory: each.town }));
      return;
    default: {
      const { who: named, negative, change, rights } = each;
      const identity = named === ANYONE ? ANYONE : findEntry(reader, dnOf(named))!.uuid;
      await writer.execute(setAcl, { ...key, identity, negative, change, rights, before: '' });
      const at = `${negative ? '-' : ''}${named}`;
      const now = new Set(world.rows.get(at) ?? '');
      for (const letter of change === 'replace' ? MAILBOX_RIGHTS : '') now.delete(letter);
      for (const letter of rights)
        if (change === 'remove') now.delete(letter);
        else now.add(letter);
      world.rows.set(at, [...now].join(''));
    }
  }
}

/** Everybody that a list leads to. */
function expanded(world: World, list: string, seen = new Set<string>()): Set<string> {
  if (seen.has(list)) return seen;
  seen.add(list);
  const found = (world.members.get(list) ?? []).map(({ of }) => of);
  const town = world.urls.get(list);
  for (const [each, its] of world.towns) if (its === town) found.push(each);
  for (const each of found)
    if (LISTS.includes(each)) expanded(world, each, seen);
    else seen.add(each);
  return seen;
}

function judged(world: World, user: string): string {
  if (user === USERS[0]) return MAILBOX_RIGHTS;
  const given = new Set<string>();
  const taken = new Set<string>();
  for (const [at, letters] of world.rows) {
    const named = at.replace('-', '');
    const fits =
      named === user ||
      (named === ANYONE && user.endsWith('@acme.example')) ||
      (LISTS.includes(named) && expanded(world, named).has(user));
    if (fits) for (const letter of letters) (at.startsWith('-') ? taken : given).add(letter);
  }
  return [...MAILBOX_RIGHTS].filter((letter) => given.has(letter) && !taken.has(letter)).join('');
}

test('an entry that goes takes along what it was given', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const { apply, reader, writer } = directory;
  await apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  const uuid = (address: string) => findEntry(reader, userDn(address))!.uuid;
  const owner = readAccount(reader, { uuid: uuid('ann@acme.example'), tenant: TENANT });
  const { id: mailbox } = findMailbox(reader, owner, 'INBOX')!;
  const bob = uuid('bob@acme.example');
  const more = { change: 'replace' as const, negative: false, before: '' };
  await writer.execute(setAcl, { owner, mailbox, identity: bob, rights: 'lr', ...more });
  const account = readAccount(reader, { uuid: bob, tenant: TENANT });
  await writer.execute(makeUrlKeys, [
    { account, owner, mailbox },
    { account, owner: account, mailbox },
    { account: owner, owner: account, mailbox },
    { account: owner, owner, mailbox },
  ]);
  assert.equal(entryByUuid(reader, bob)?.uuid, bob);
  const before = directory.shared.rightsMoves();
  await apply(remove(userDn('bob@acme.example')));
  assert.notEqual(directory.shared.rightsMoves(), before);
  assert.equal(reader.get('SELECT count(*) AS n FROM acl')?.['n'], 0);
  assert.deepEqual(reader.arrays('SELECT account, owner FROM url_key'), [[owner, owner]]);
});

test("a list's mailbox is its members' to read and its owners' to do anything in, until a row says otherwise", async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const { apply, reader, writer, shared } = directory;
  await apply(addDomain('acme.example'), ...USERS.slice(0, 3).map((user) => addUser(user)));
  const [ann, bob, cat] = USERS as [string, string, string];
  const options = { mailDeliveryOption: 'shared', owner: userDn(cat) };
  await apply(addGroup('team@acme.example', [userDn(ann)], options));
  const parties = partiesOf(reader);
  const rights = new MailboxRights({ reader, parties, moves: () => shared.rightsMoves(), onMoved() {} });
  const team = parties.byAddress('team@acme.example')!;
  const key = { owner: team.account!, mailbox: findMailbox(reader, team.account!, 'INBOX')!.id };
  const all = () => [ann, bob, cat].map((user) => rights.of(parties.byAddress(user)!.account!, key).rights);
  assert.deepEqual(all(), ['lrswite', '', MAILBOX_RIGHTS]);
  assert.deepEqual(
    rights.listsOf(parties.byAddress(ann)!.account!).map(({ address }) => address),
    ['team@acme.example'],
  );
  const change = { negative: false, change: 'replace' as const };
  await writer.execute(setAcl, { ...key, identity: team.uuid, rights: 'lr', before: 'lrswite', ...change });
  assert.deepEqual(all(), ['lr', '', MAILBOX_RIGHTS]);
  await writer.execute(setAcl, { ...key, identity: team.uuid, rights: '', before: 'lrswite', ...change });
  assert.deepEqual(all(), ['', '', MAILBOX_RIGHTS]);
  await apply(replace(groupDn('team@acme.example'), { owner: [] }));
  assert.deepEqual(all(), ['', '', '']);
});

test('a change that was allowed before rights moved is refused, and nothing of it is done', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const { apply, reader, writer, shared } = directory;
  const [ann, bob] = USERS as [string, string];
  await apply(addDomain('acme.example'), addUser(ann), addUser(bob));
  const parties = partiesOf(reader);
  const rights = new MailboxRights({ reader, parties, moves: () => shared.rightsMoves(), onMoved() {} });
  const owner = parties.byAddress(ann)!.account!;
  const { account = owner, uuid } = parties.byAddress(bob)!;
  const row = (identity: string, given: string, rightsAt?: number) =>
    writer.execute(setAcl, {
      ...{ owner, mailbox: INBOX, identity, rights: given, before: '', negative: false, change: 'replace' },
      ...(rightsAt === undefined ? {} : { rightsAt }),
    });
  await row(uuid, 'lra');
  const { at } = rights.of(account, { owner, mailbox: INBOX });
  await row(ANYONE, 'l', at);
  await assert.rejects(row(ANYONE, 'lr', at), { kind: 'conflict' });
  assert.equal(rights.of(account, { owner, mailbox: INBOX }).rights, 'lra');
  await row(uuid, '');
  assert.equal(rights.of(account, { owner, mailbox: INBOX }).rights, 'l');
});
