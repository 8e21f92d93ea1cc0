// Who may send to a list, over worlds of people and lists that are in one another, judged by a naive evaluator that reads lists
// from above: it gathers whoever is in them, where the program walks up from the sender.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../base/ids.ts';
import { GROUP_DEPTH_MAX } from '../base/limits.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import type { LdapUrl } from '../directory/ldap-url.ts';
import type { ListParty } from '../directory/list-party.ts';
import { parseAddress } from '../message/address.ts';
import { type AccessTables, decideAccess, SENDER_LISTS_MAX } from './list-access.ts';
import type { RouteRequest } from './route-request.ts';
import type { GroupRow, ListRules, RecipientRow } from './rows.ts';

const dnOf = (name: string): string => `cn=${name},dc=acme,o=internet`;
const everybody: LdapUrl = { base: 'dc=acme,o=internet', scope: 'sub', filter: '(cn=*)' };
/** A URL that finds the entries whose names are in its filter. */
const finding = (...names: readonly string[]): LdapUrl => ({ ...everybody, filter: names.join(' ') });

interface List {
  readonly members: readonly string[];
  readonly finds?: readonly string[];
}

/** People by name, each with an address of that name; lists likewise. `members` are names, or addresses. */
interface World {
  readonly people: readonly string[];
  readonly lists: Readonly<Record<string, List>>;
}

const addressesOf = (name: string): string[] => [`${name}@acme.example`, `${name}.alias@acme.example`];

function tablesOf({ people, lists }: World): AccessTables {
  const base = (name: string, entry: number) => ({ entry, uuid: name, dn: dnOf(name), addresses: addressesOf(name) });
  const rows: RecipientRow[] = [
    ...people.map((name, n) => ({ kind: 'user' as const, account: idOf<never>(n + 1), ...base(name, n + 1) })),
    ...Object.entries(lists).map(([name, { finds }], n) => ({
      kind: 'group' as const,
      ...base(name, 100 + n),
      ...(finds === undefined ? {} : { urls: [finding(...finds)] }),
    })),
  ];
  const groups = rows.filter((row): row is GroupRow => row.kind === 'group');
  const keysOf = (member: string): string => (member.includes('@') ? member : dnOf(member));
  return {
    route: (domain) => (domain === 'alias.example' ? { domain, base: '', aliasOf: 'acme.example' } : null),
    alias: (key) => rows.find(({ addresses }) => addresses.includes(key)) ?? null,
    recipient: (dn) => rows.find((row) => row.dn === dn) ?? null,
    listsWith: (member) => groups.filter(({ uuid }) => lists[uuid]!.members.map(keysOf).includes(member)),
    dynamicListsOver: () => groups.filter(({ urls }) => urls !== undefined),
    matches: (dn, { filter }) => filter.split(' ').some((name) => dnOf(name) === dn),
    asksOthers: false,
  };
}

const group = (rules: ListRules): GroupRow => ({
  kind: 'group',
  entry: 99,
  uuid: 'list',
  dn: dnOf('list'),
  addresses: ['list@acme.example'],
  rules,
});

const from = (sender: string, more: Partial<RouteRequest> = {}): RouteRequest => ({
  sender: sender === '' ? undefined : parseAddress(sender),
  caller: ANONYMOUS,
  mayRelay: false,
  door: 'smtp',
  ...more,
});
const login = (name: string): Partial<RouteRequest> => ({ caller: { kind: 'entry', uuid: name, dn: dnOf(name) } });

const none: World = { people: ['ann', 'bob'], lists: {} };

function decided(rules: ListRules, request: RouteRequest, world = none): string {
  const { to, rule, reply } = decideAccess(group(rules), request, tablesOf(world));
  return to === 'nobody' ? `${reply!.code} ${rule.split(':')[0]}` : to;
}

test('a login that gets no mail here is meant by its DN', () => {
  const request = from('', { ...login('operator'), door: 'submission' });
  const only = (name: string): ListRules => ({ authenticated: true, allowedBroadcasters: [{ dn: dnOf(name) }] });
  assert.equal(decided(only('operator'), request), 'list');
  assert.equal(decided(only('ann'), request), '550 mgrpAllowedBroadcaster');
});

test('where others have the say they are asked for the sender: by the address, or by the login', () => {
  const rules = { allowedBroadcasters: [{ dn: dnOf('elsewhere') }] };
  const asked = (request: RouteRequest, asksOthers: boolean, more: ListRules = {}) =>
    decideAccess(group({ ...rules, ...more }), request, { ...tablesOf(none), asksOthers }).rests?.questions;
  const byLogin = from('bob@acme.example', { ...login('ann'), door: 'submission' });
  assert.equal(asked(byLogin, false, { authenticated: true }), undefined);
  assert.deepEqual(asked(byLogin, true, { authenticated: true })?.[0], { dn: dnOf('ann') });
  assert.deepEqual(asked(from('bob@alias.example'), true)?.slice(0, 2), [
    { address: 'bob@alias.example' },
    { address: 'bob@acme.example' },
  ]);
});

test('filters are asked up to a number of characters: then it is not decided', () => {
  let asked = 0;
  const tables = tablesOf(none);
  const counting = {
    ...tables,
    matches: (dn: string, url: LdapUrl): boolean => {
      asked += url.filter.length;
      return tables.matches(dn, url);
    },
  };
  const urls = (count: number): ListParty[] =>
    Array(count).fill({ url: { ...finding('bob'), filter: `bob${' '.repeat(4000)}` } });
  const decide = (count: number) =>
    decideAccess(group({ allowedBroadcasters: urls(count) }), from('ann@acme.example'), counting).reply?.code;
  assert.equal(decide(60), 550);
  asked = 0;
  assert.equal(decide(1000), 451);
  assert.ok(asked < 300_000, `${asked} characters of filters`);
});

test('rules are asked in their order, and the first that fails decides', () => {
  const ann: ListParty = { address: 'ann@acme.example' };
  const only = { allowedBroadcasters: [ann] };
  const domain = { allowedDomains: ['*.example'] };
  const cases: readonly [ListRules, RouteRequest, string][] = [
    [{}, from(''), 'list'],
    [only, from('ann@acme.example'), 'list'],
    [only, from('ann.alias@acme.example'), 'list'],
    [only, from('bob@acme.example'), '550 mgrpAllowedBroadcaster'],
    [only, from(''), '550 mgrpAllowedBroadcaster'],
    [{ allowedBroadcasters: [] }, from('ann@acme.example'), '550 mgrpAllowedBroadcaster'],
    [{ allowedBroadcasters: [{ dn: dnOf('ann') }] }, from('Ann.Alias@acme.example'), 'list'],
    [{ allowedBroadcasters: [{ dn: dnOf('gone') }] }, from('ann@acme.example'), '550 mgrpAllowedBroadcaster'],
    [{ allowedBroadcasters: [{ url: finding('ann') }] }, from('ann@acme.example'), 'list'],
    [{ allowedBroadcasters: [{ url: finding('ann') }] }, from('x@far.example'), '550 mgrpAllowedBroadcaster'],
    [only, from('Ann@alias.example'), 'list'],
    [only, from('bob@alias.example'), '550 mgrpAllowedBroadcaster'],
    [{ allowedBroadcasters: [{ address: 'ann@alias.example' }] }, from('ann@acme.example'), 'list'],
    [{ ...only, disallowedDomains: ['*'] }, from('ann@acme.example'), 'list'],
    [{ ...only, disallowedDomains: ['acme.*'] }, from('bob@acme.example'), '550 mgrpDisallowedDomain'],
    [domain, from('x@far.example'), 'list'],
    [domain, from('x@example.org'), '550 mgrpAllowedDomain'],
    [domain, from(''), '550 mgrpAllowedDomain'],
    [{ allowedDomains: ['example'] }, from('x@far.example'), '550 mgrpAllowedDomain'],
    [{ ...only, ...domain }, from('bob@acme.example'), '550 mgrpAllowedBroadcaster'],
    [{ ...only, ...domain, either: true }, from('bob@acme.example'), 'list'],
    [{ ...only, ...domain, either: true }, from('bob@example.org'), '550 mgrpAllowedDomain'],
    [{ ...only, either: true }, from('bob@acme.example'), '550 mgrpAllowedBroadcaster'],
    [{ disallowedBroadcasters: [ann] }, from('ann.alias@acme.example'), '550 mgrpDisallowedBroadcaster'],
    [{ disallowedBroadcasters: [ann] }, from(''), 'list'],
    [{ ...only, disallowedBroadcasters: [ann] }, from('ann@acme.example'), '550 mgrpDisallowedBroadcaster'],
    [{ sizeMax: 10 }, from('ann@acme.example', { sizeBytes: 10 }), 'list'],
    [{ sizeMax: 10 }, from('ann@acme.example', { sizeBytes: 11 }), '552 mgrpMsgMaxSize'],
    [{ authenticated: true }, from('ann@acme.example'), '550 mgrpBroadcasterPolicy'],
    [{ authenticated: true }, from('x@far.example', login('ann')), 'list'],
    [{ ...only, authenticated: true }, from('x@far.example', login('ann')), 'list'],
    [{ ...only, authenticated: true }, from('ann@acme.example', login('bob')), '550 mgrpAllowedBroadcaster'],
    [{ authenticated: true, allowedDomains: ['acme.example'] }, from('x@far.example', login('bob')), 'list'],
    [{ moderators: [ann] }, from('ann@acme.example', { sizeBytes: 11 }), 'list'],
    [{ moderators: [ann], sizeMax: 10 }, from('ann@acme.example', { sizeBytes: 11 }), 'list'],
    [{ moderators: [ann] }, from('bob@acme.example'), 'moderators'],
    [{ moderators: [ann] }, from(''), 'moderators'],
    [{ moderators: [ann], sizeMax: 10 }, from('bob@acme.example', { sizeBytes: 11 }), '552 mgrpMsgMaxSize'],
    [{ moderators: [ann], sizeMax: 10, toModerator: true }, from('bob@acme.example', { sizeBytes: 11 }), 'moderators'],
  ];
  for (const [rules, request, expected] of cases)
    assert.equal(decided(rules, request), expected, JSON.stringify([rules, request]));
});

test('what the sender of a refused message reads is the text of the list', () => {
  const { reply } = decideAccess(group({ allowedBroadcasters: [], rejectText: 'Ask ann' }), from(''), tablesOf(none));
  assert.deepEqual(reply, { code: 550, enhanced: '5.7.1', text: 'Ask ann' });
});

test('lists in lists, in a circle, as broadcasters of themselves; twenty deep and no deeper', () => {
  const deep: Record<string, List> = {};
  for (let n = 1; n <= GROUP_DEPTH_MAX + 1; n++) deep[`d${n}`] = { members: n === 1 ? ['ann'] : [`d${n - 1}`] };
  const world: World = {
    people: ['ann', 'bob'],
    lists: { ...deep, a: { members: ['b', 'ann'] }, b: { members: ['a'], finds: ['bob'] }, list: { members: ['bob'] } },
  };
  const may = (name: string, list: string): string =>
    decided({ allowedBroadcasters: [{ dn: dnOf(list) }] }, from(`${name}@acme.example`), world);
  const refused = '550 mgrpAllowedBroadcaster';
  assert.deepEqual([may('ann', 'a'), may('ann', 'b'), may('bob', 'a'), may('bob', 'b')], Array(4).fill('list'));
  assert.deepEqual([may('bob', 'list'), may('ann', 'list'), may('list', 'list')], ['list', refused, 'list']);
  assert.equal(may('ann', `d${GROUP_DEPTH_MAX}`), 'list');
  assert.equal(may('ann', `d${GROUP_DEPTH_MAX + 1}`), refused);
});

test('a sender who is in more lists than anybody is gets no answer for good', () => {
  const lists = Object.fromEntries(
    Array.from({ length: SENDER_LISTS_MAX + 1 }, (_, n) => [`l${n}`, { members: ['ann'] }]),
  );
  const world: World = { people: ['ann'], lists: { ...lists, other: { members: [] } } };
  const rules: ListRules = { disallowedBroadcasters: [{ dn: dnOf('other') }], moderators: [] };
  assert.match(decided(rules, from('ann@acme.example'), world), /^451 /);
});

test('a pattern of stars takes no longer than a short one', () => {
  const pattern = `${'*a'.repeat(127)}b`;
  assert.equal(decided({ allowedDomains: [pattern] }, from(`x@${'a'.repeat(60)}.example`)), '550 mgrpAllowedDomain');
});

// The judge.

const people = ['ann', 'bob', 'cat'];
const lists = ['l1', 'l2', 'l3', 'l4'];
const name = fc.constantFrom(...people, ...lists);
const senders = [...people, ...lists].flatMap((one) => addressesOf(one)).concat('x@far.example', '');
const member = fc.oneof({ weight: 3, arbitrary: name }, fc.constantFrom(...senders.filter((one) => one !== '')));
const world: fc.Arbitrary<World> = fc
  .array(
    fc.record(
      {
        members: fc.uniqueArray(member, { maxLength: 3 }),
        finds: fc.uniqueArray(fc.constantFrom(...people, ...lists), { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: ['members'] },
    ),
    { minLength: lists.length, maxLength: lists.length },
  )
  .map((made) => ({ people, lists: Object.fromEntries(lists.map((one, n) => [one, made[n]!])) }));
const party: fc.Arbitrary<ListParty> = fc.oneof(
  name.map((one) => ({ dn: dnOf(one) })),
  fc.constantFrom(...senders.filter((one) => one !== '')).map((address) => ({ address })),
  fc.uniqueArray(name, { minLength: 1, maxLength: 2 }).map((names) => ({ url: finding(...names) })),
);
const parties = fc.array(party, { maxLength: 2 });
const patterns = fc.array(fc.constantFrom('acme.example', '*.example', 'far.*', '*', 'a*e*.ex*e', 'example'), {
  maxLength: 2,
});
const rules: fc.Arbitrary<ListRules> = fc.record(
  {
    authenticated: fc.constant(true as const),
    either: fc.constant(true as const),
    allowedBroadcasters: parties,
    disallowedBroadcasters: parties,
    allowedDomains: patterns,
    disallowedDomains: patterns,
    sizeMax: fc.constant(100),
    toModerator: fc.constant(true as const),
    moderators: parties,
  },
  { requiredKeys: [] },
);
const request = fc
  .tuple(fc.constantFrom(...senders), fc.option(name), fc.constantFrom(1, 1000))
  .map(([sender, who, sizeBytes]): RouteRequest => from(sender, { ...(who === null ? {} : login(who)), sizeBytes }));

/** All addresses that a name or an address stands for, lists opened. */
function meant({ lists: all }: World, text: string, opened: Set<string>): string[] {
  const who = text.split('@')[0]!.replace('.alias', '');
  const known = people.includes(who) || who in all;
  if (text.includes('@') && (!text.endsWith('@acme.example') || !known)) return [text];
  if (!(who in all)) return addressesOf(who);
  if (opened.has(who)) return [];
  opened.add(who);
  const { members, finds = [] } = all[who]!;
  const inside = members.flatMap((one) => meant({ people, lists: all }, one, opened));
  // A URL means the entries that it finds, not what a list among them holds.
  return [...addressesOf(who), ...inside, ...finds.flatMap(addressesOf)];
}

function naive(made: World, of: ListRules, { sender, caller, sizeBytes = 0 }: RouteRequest): string {
  const asked = sender === undefined ? undefined : `${sender.localPart}@${sender.domain}`.toLowerCase();
  const who = caller.kind === 'entry' ? caller.uuid : undefined;
  const identity = of.authenticated === true ? (who === undefined ? undefined : `${who}@acme.example`) : asked;
  const meansSender = (one: ListParty): boolean => {
    if (identity === undefined) return false;
    if ('url' in one) return one.url.filter.split(' ').some((found) => addressesOf(found).includes(identity));
    const text = 'dn' in one ? /cn=(.*?),/.exec(one.dn)![1]! : one.address;
    return meant(made, text, new Set()).includes(identity);
  };
  const isIn = (list: readonly ListParty[] = []): boolean => list.some(meansSender);
  const ofDomain = (list: readonly string[] = []): boolean =>
    identity !== undefined &&
    list.some((pattern) =>
      new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(identity.split('@')[1]!),
    );
  if (isIn(of.moderators)) return 'list';
  const allowed = isIn(of.allowedBroadcasters);
  const domainsHold =
    allowed || ((!of.allowedDomains || ofDomain(of.allowedDomains)) && !ofDomain(of.disallowedDomains));
  const sendersHold = !of.allowedBroadcasters || allowed || (of.either === true && ofDomain(of.allowedDomains));
  const isSmall = of.sizeMax === undefined || sizeBytes <= of.sizeMax;
  const loginHolds = of.authenticated === undefined || who !== undefined;
  const holds = loginHolds && domainsHold && sendersHold && !isIn(of.disallowedBroadcasters) && isSmall;
  if (holds) return of.moderators === undefined ? 'list' : 'moderators';
  return of.toModerator === true ? 'moderators' : 'nobody';
}

test('decisions are those of a naive evaluator', () => {
  fc.assert(
    fc.property(world, rules, request, (made, of, asked) => {
      assert.equal(decideAccess(group(of), asked, tablesOf(made)).to, naive(made, of, asked));
    }),
    { numRuns: 3000 },
  );
});
