// Lists on tables written by hand: what is read of them, who gets a message, what is left to the transfer thread, the tree.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf } from '../base/ids.ts';
import { LIST_MEMBERS_IN_ACCEPT } from '../base/limits.ts';
import { TENANT } from '../base/tenant.ts';
import { parseAddress } from '../message/address.ts';
import { replies } from './replies.ts';
import { type Resolution, type ResolveOptions, type RoutingTables, resolve } from './resolve.ts';
import { INTERNAL_REQUEST } from './route-request.ts';
import type { GroupRow, RecipientRow, RouteRow } from './rows.ts';
import { settingsOf } from './settings.ts';
import { type Target, targetText } from './targets.ts';
import { testLists } from './testing.ts';

const site = { tenant: TENANT, hostnames: ['mail.example'] };
const acme: RouteRow = { domain: 'acme.example', base: 'dc=acme,o=internet' };
const dnOf = (name: string): string => `cn=${name},${acme.base}`;

interface World {
  /** Users by name. */
  readonly people?: readonly string[];
  readonly lists: Readonly<Record<string, Partial<GroupRow> & { readonly members?: readonly string[] }>>;
}

/** `read` counts what is asked of the tables. */
function tablesOf({ people = ['ann', 'bob'], lists }: World): RoutingTables & { read: number } {
  const base = (name: string, entry: number) => ({
    entry,
    uuid: name,
    dn: dnOf(name),
    addresses: [`${name}@acme.example`],
  });
  const written = new Map<number, readonly string[]>();
  const rows = new Map<string, RecipientRow>();
  for (const [n, name] of people.entries())
    rows.set(dnOf(name), { kind: 'user', account: idOf(n + 1), ...base(name, n + 1) });
  for (const [n, [name, { members = [], ...more }]] of Object.entries(lists).entries()) {
    const entry = 10_000 + n;
    written.set(
      entry,
      members.map((member) => (member.includes('@') ? member : dnOf(member))),
    );
    rows.set(dnOf(name), { kind: 'group', ...base(name, entry), ...more });
  }
  const all = [...rows.values()];
  const byAddress = new Map(all.flatMap((row) => row.addresses.map((address) => [address, row] as const)));
  const known = testLists(all, written);
  const tables: RoutingTables & { read: number } = {
    ...known,
    read: 0,
    route: (domain) => one(domain === acme.domain ? acme : null),
    alias: (key) => one(byAddress.get(key) ?? null),
    recipient: (dn) => one(rows.get(dn) ?? null),
    settings: () => settingsOf([]),
    members: (list, after, limit) => {
      const values = known.members(list, after, limit)!;
      tables.read += values.length;
      return values;
    },
  };
  const one = <T>(row: T): T => {
    tables.read++;
    return row;
  };
  return tables;
}

function resolved(world: World | RoutingTables, name: string, options: ResolveOptions = {}): Resolution {
  const tables = 'lists' in world ? tablesOf(world) : world;
  const answer = resolve(parseAddress(`${name}@acme.example`), INTERNAL_REQUEST, tables, site, options);
  assert.ok('resolution' in answer);
  return answer.resolution;
}

const textOf = ({ targets, reply }: Resolution): string =>
  [`${reply.code} ${reply.enhanced}`, ...targets.map((target: Target) => targetText(target))].join('; ');

const far = (count: number): string[] => Array.from({ length: count }, (_, n) => `x${n}@remote.example`);
const gone = (count: number): string[] => Array.from({ length: count }, (_, n) => `gone${n}`);

test('RCPT to a list of 100,000 reads at most five rows', () => {
  const tables = tablesOf({ lists: { all: { members: ['ann', ...far(100_000)] } } });
  assert.equal(textOf(resolved(tables, 'all', { verify: true })), '250 2.1.5; store, account 1');
  assert.ok(tables.read <= 5, `${tables.read} rows`);
});

test('a list of more than five hundred is accepted without a member being read', () => {
  const tables = tablesOf({ lists: { all: { members: ['ann', ...far(100_000)] } } });
  const { targets } = resolved(tables, 'all');
  assert.deepEqual(
    targets.map(({ channel, options }) => [channel, options]),
    [['reprocess', { list: dnOf('all'), entry: 10_000 }]],
  );
  assert.ok(tables.read <= 2, `${tables.read} rows`);
});

test('members of nested lists are counted together', () => {
  const half = LIST_MEMBERS_IN_ACCEPT / 2;
  const lists = (second: number): World => ({
    lists: { all: { members: ['one', 'two'] }, one: { members: far(half - 2) }, two: { members: far(second) } },
  });
  assert.equal(resolved(lists(half), 'all').targets.length, half);
  assert.equal(textOf(resolved(lists(half + 1), 'all')), `250 2.1.5; reprocess, list ${dnOf('all')}, entry 10000`);
});

test('members that are not there cost at most five hundred looks at RCPT, and then it is left for later', () => {
  const few = tablesOf({ lists: { all: { members: gone(LIST_MEMBERS_IN_ACCEPT) } } });
  assert.equal(resolved(few, 'all', { verify: true }).reply, replies.emptyGroup);
  const many = tablesOf({ lists: { all: { members: gone(100_000) } } });
  assert.equal(resolved(many, 'all', { verify: true }).reply.code, 250);
  assert.ok(many.read < 4 * LIST_MEMBERS_IN_ACCEPT, `${many.read} rows`);
});

test('a list whose members are only itself leads nowhere; one without members and URLs is empty for now', () => {
  const world: World = {
    lists: {
      self: { members: ['self', 'self@acme.example'] },
      a: { members: ['b'] },
      b: { members: ['a'] },
      empty: {},
      url: { urls: [{ base: acme.base, scope: 'sub', filter: '(cn=*)' }] },
    },
  };
  for (const options of [{}, { verify: true }, { explain: true }]) {
    const code = (name: string): string => textOf(resolved(world, name, options));
    assert.deepEqual([code('self'), code('a'), code('empty')], ['554 5.4.6', '554 5.4.6', '450 4.2.4']);
    assert.match(code('url'), /^250 2\.1\.5; reprocess, list cn=url/);
  }
});

test('a moderated list goes to its moderators instead; their own messages go to the list', () => {
  const rules = { moderators: [{ dn: dnOf('bob') }, { address: 'm@remote.example', written: 'M@remote.example' }] };
  const world: World = { lists: { all: { members: ['ann'], rules } } };
  const asked = resolved(world, 'all').targets.map(({ channel, options }) => ({ channel, ...options }));
  assert.deepEqual(asked, [{ channel: 'list', derive: 10_000, part: 'moderators' }]);
  const tables = tablesOf(world);
  const request = { ...INTERNAL_REQUEST, sender: parseAddress('bob@acme.example') };
  const answer = resolve(parseAddress('all@acme.example'), request, tables, site);
  assert.ok('resolution' in answer);
  assert.equal(textOf(answer.resolution), '250 2.1.5; store, account 1');
});

test('a list that moderates itself leads nowhere, and moderators that a URL finds are looked for later', () => {
  const url = { base: acme.base, scope: 'sub', filter: '(cn=*)' } as const;
  const world: World = {
    lists: {
      self: { members: ['ann'], rules: { moderators: [{ dn: dnOf('self') }] } },
      found: { members: ['ann'], rules: { moderators: [{ url }] } },
    },
  };
  // The compiler leaves out a moderator that is the list itself.
  const nobody: World = { lists: { self: { members: ['ann'], rules: { moderators: [] } } } };
  assert.equal(textOf(resolved(nobody, 'self')), '451 4.3.5');
  const { targets } = resolved(world, 'found');
  assert.deepEqual(targets[0]!.options, { derive: 10_001, part: 'moderators' });
});

test('a nested list asks its own rules: who may not send to it does not reach its members', () => {
  const world: World = {
    lists: { all: { members: ['inner', 'bob'] }, inner: { members: ['ann'], rules: { allowedBroadcasters: [] } } },
  };
  const { targets, failures } = resolved(world, 'all');
  assert.deepEqual(
    targets.map(({ recipient }) => recipient.localPart),
    ['bob'],
  );
  assert.deepEqual(
    failures.map(({ recipient, reply }) => [recipient.localPart, reply]),
    [['inner', replies.mayNotSend]],
  );
});

test('the tree shows a hundred members of a list, then a count, and its loops', () => {
  const world: World = {
    lists: {
      all: { members: ['inner', ...far(149)] },
      inner: { members: ['all', 'ann'] },
      big: { members: far(5000) },
    },
  };
  const { steps, targets } = resolved(world, 'all', { explain: true });
  assert.equal(targets.length, 150);
  assert.equal(steps.filter(({ step, depth }) => step === 'member' && depth === 1).length, 100);
  assert.deepEqual(
    steps.filter(({ step }) => step === 'loop' || step === 'group').map(({ detail, depth = 0 }) => [depth, detail]),
    [
      [0, `${dnOf('all')} has 150 members`],
      [1, `${dnOf('inner')} has 2 members`],
      [2, `${dnOf('all')} has been followed already`],
      [0, 'and 50 more members'],
    ],
  );
  // A list that stands behind the hundredth member is not shown, nor is what follows it.
  const last = { lists: { all: { members: [...far(120), 'inner', 'bob'] }, inner: { members: ['ann'] } } };
  const quiet = resolved(last, 'all', { explain: true });
  assert.equal(quiet.targets.length, 122);
  assert.equal(quiet.steps.filter(({ step }) => step === 'member').length, 100);
  const big = resolved(world, 'big', { explain: true });
  assert.equal(big.steps.filter(({ step }) => step === 'member').length, 100);
  assert.deepEqual(
    big.steps.filter(({ step }) => step === 'group' || step === 'reply').map(({ detail }) => detail),
    [
      `${dnOf('big')} has 5000 members`,
      'more than 500 members: expanded once the message is accepted',
      'and 4900 more members',
      '250 2.1.5 Recipient ok',
    ],
  );
  assert.equal(big.targets.length, 1);
});
