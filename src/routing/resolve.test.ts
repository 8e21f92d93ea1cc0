// Resolve on tables written by hand: each way an address can go, and what is asked when rows are not loaded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, idOf } from '../base/ids.ts';
import { GROUP_DEPTH_MAX } from '../base/limits.ts';
import { TENANT } from '../base/tenant.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { formatAddress, parseAddress } from '../message/address.ts';
import { replies } from './replies.ts';
import { type Resolution, type ResolveOptions, type RouteRequest, type RoutingTables, resolve } from './resolve.ts';
import { INTERNAL_REQUEST } from './route-request.ts';
import type { GroupRow, RecipientRow, RouteRow, UserRow } from './rows.ts';
import { settingsOf } from './settings.ts';
import { hopTarget, mailboxTarget } from './targets.ts';
import { testLists } from './testing.ts';

const site = { tenant: TENANT, hostnames: ['mail.example', 'old.example'] };
const noSettings = settingsOf([]);
const acme: RouteRow = { domain: 'acme.example', base: 'dc=acme,dc=example,o=internet' };

function user(name: string, account: number, more: Partial<UserRow> = {}): UserRow {
  return {
    kind: 'user',
    entry: account,
    uuid: `u${account}`,
    dn: `uid=${name},ou=people,${acme.base}`,
    account: idOf(account),
    addresses: [`${name}@acme.example`],
    ...more,
  };
}

interface Group extends Partial<GroupRow> {
  readonly members?: readonly string[];
  readonly addressMembers?: readonly string[];
}

/** Of all lists of these tests, by entry. */
const written = new Map<number, readonly string[]>();
let lastList = 100;

function group(name: string, { members = [], addressMembers = [], ...more }: Group): GroupRow {
  lastList++;
  written.set(lastList, [...members, ...addressMembers]);
  return {
    kind: 'group',
    entry: lastList,
    uuid: 'u100',
    dn: `cn=${name},ou=groups,${acme.base}`,
    addresses: [`${name}@acme.example`],
    ...more,
  };
}

const sitePostmaster = user('root', 99, { dn: 'uid=postmaster,ou=waypost,o=internet', addresses: ['postmaster'] });

/** Complete tables. */
function tables(routes: readonly RouteRow[], rows: readonly RecipientRow[]): RoutingTables {
  return {
    route: (domain) => routes.find((route) => route.domain === domain) ?? null,
    alias: (key) => rows.find((row) => row.addresses.includes(key)) ?? null,
    recipient: (dn) => rows.find((row) => row.dn === dn) ?? null,
    settings: () => noSettings,
    ...testLists(rows, written),
  };
}

function resolved(
  address: string,
  held: RoutingTables,
  options: ResolveOptions = {},
  request: RouteRequest = INTERNAL_REQUEST,
): Resolution {
  const parsed = address === 'postmaster' ? { localPart: 'postmaster', domain: '' } : parseAddress(address);
  const answer = resolve(parsed, request, held, site, options);
  assert.ok('resolution' in answer);
  return answer.resolution;
}

test('a user is a target of the store, in any letter case and with needless quotes', () => {
  const held = tables([acme], [user('ann', 7)]);
  for (const address of ['ann@acme.example', 'Ann@ACME.example', '"ann"@acme.example']) {
    const { targets, reply, relay } = resolved(address, held);
    assert.deepEqual(
      targets.map(({ options }) => options['account']),
      [7],
    );
    assert.equal(reply, replies.accepted);
    assert.equal(relay, false);
  }
});

test('a local part that nobody claims is unknown, and never read as a route', () => {
  const held = tables([acme], [user('ann', 7)]);
  for (const local of ['bob', 'ann%remote.example', 'remote.example!ann', '"ann@remote.example"'])
    assert.equal(resolved(`${local}@acme.example`, held).reply, replies.noSuchUser);
});

test('a foreign domain is a target of another host for who may relay, and refused to others', () => {
  const address = { localPart: 'a b', domain: 'remote.example' };
  const { targets, relay } = resolved('"a b"@remote.example', tables([acme], []));
  assert.deepEqual(targets, [hopTarget(address, 'remote.example')]);
  assert.equal(relay, true);
  const stranger = { ...INTERNAL_REQUEST, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
  const denied = resolved('"a b"@remote.example', tables([acme], []), {}, stranger);
  assert.deepEqual(denied.targets, []);
  assert.equal(denied.reply, replies.relayDenied);
  assert.equal(denied.relay, true);
  const viaList = tables([acme], [group('all', { addressMembers: ['c@remote.example'] })]);
  const { reply } = resolved('all@acme.example', viaList, {}, stranger);
  assert.equal(reply, replies.accepted, 'the owner of the list has chosen its members');
});

test("a domain's parent does not hold its addresses", () => {
  assert.equal(resolved('ann@sales.acme.example', tables([acme], [user('ann', 7)])).relay, true);
});

test('postmaster is always read by somebody', () => {
  const domainDeleted: RouteRow = { ...acme, inetDomainStatus: 'deleted', catchall: 'ann@acme.example' };
  const held = tables([domainDeleted], [user('ann', 7), sitePostmaster]);
  for (const address of [
    'postmaster',
    'Postmaster@mail.example',
    'postmaster@old.example',
    'PostMaster@acme.example',
    'abuse@acme.example',
  ]) {
    const { targets } = resolved(address, held);
    assert.deepEqual(
      targets.map(({ options }) => options['account']),
      [99],
      address,
    );
  }
  assert.equal(resolved('ann@mail.example', held).reply, replies.noSuchUser);
});

test('mail for a site postmaster of another host goes there, to the address that every host knows', () => {
  const away = { ...sitePostmaster, account: idOf<AccountId>(0), mailHost: 'mail2.example' };
  const held = tables([acme], [away]);
  const ways = (address: string, request?: RouteRequest) =>
    resolved(address, held, {}, request).targets.map(({ channel, destination, recipient, options }) =>
      [channel, destination, formatAddress(recipient), options['from']].filter(Boolean).join(' '),
    );
  assert.deepEqual(ways('postmaster'), ['smtp [mail2.example] postmaster']);
  for (const address of ['postmaster@old.example', 'abuse@acme.example'])
    assert.deepEqual(ways(address), [`smtp [mail2.example] postmaster ${address}`]);
  const stranger = { ...INTERNAL_REQUEST, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
  assert.equal(ways('postmaster@mail.example', stranger).length, 1, 'nobody is asked whether they may relay');
  const back = resolved(
    'postmaster',
    tables([], [{ ...away, mailHost: '192.0.2.9' }]),
    {},
    { ...stranger, peer: '192.0.2.9' },
  );
  assert.equal(back.reply, replies.sentBack);
  const here = resolved('postmaster', tables([], [{ ...sitePostmaster, mailHost: 'old.example' }]));
  assert.equal(here.targets[0]?.options['account'], 99);
});

test('a claimed postmaster is the one who claims it', () => {
  const held = tables([acme], [user('postmaster', 7), sitePostmaster]);
  const [target] = resolved('postmaster@acme.example', held).targets;
  assert.equal(target?.options['account'], 7);
});

test('the first status that is not active wins, from the domain down', () => {
  const cases: readonly [Partial<RouteRow>, Partial<UserRow>, Resolution['reply']][] = [
    [{ inetDomainStatus: 'inactive', mailDomainStatus: 'deleted' }, { mailUserStatus: 'deleted' }, replies.inactive],
    [{ inetDomainStatus: 'active', mailDomainStatus: 'disabled' }, { inetUserStatus: 'inactive' }, replies.disabled],
    [{}, { inetUserStatus: 'deleted', mailUserStatus: 'inactive' }, replies.deleted],
    [{}, { inetUserStatus: 'active', mailUserStatus: 'overquota' }, replies.overQuota],
    [{}, { mailUserStatus: 'removed' }, replies.deleted],
    [{}, { mailUserStatus: { illegal: 'asleep' } }, replies.illegalStatus],
    [{ mailDomainStatus: 'active' }, { mailUserStatus: 'active' }, replies.accepted],
  ];
  for (const [route, row, reply] of cases)
    assert.deepEqual(resolved('ann@acme.example', tables([{ ...acme, ...route }], [user('ann', 7, row)])).reply, reply);
});

test('an unknown local part of a domain that is not active gets the answer of the domain', () => {
  const held = tables([{ ...acme, mailDomainStatus: 'inactive' }], []);
  assert.equal(resolved('bob@acme.example', held).reply, replies.inactive);
});

test('what would change delivery and is not built is a temporary refusal that names it', () => {
  const cases: readonly [Partial<RouteRow>, Partial<UserRow>, string][] = [
    [{}, { unsupported: ['mailDeliveryOption: forward'] }, 'mailDeliveryOption: forward'],
    [{ unsupported: ['mailDomainSieveRuleSource'] }, {}, 'mailDomainSieveRuleSource'],
  ];
  for (const [route, row, name] of cases) {
    const held = tables([{ ...acme, ...route }], [user('ann', 7, row)]);
    const { reply, steps } = resolved('ann@acme.example', held, { explain: true });
    assert.equal(reply, replies.unsupported);
    assert.ok(steps.some(({ step, detail }) => step === 'not supported' && detail === name));
  }
});

test('the catch-all takes what nobody has claimed; one that leads to itself ends', () => {
  const held = tables([{ ...acme, catchall: 'ann@acme.example' }], [user('ann', 7)]);
  // Resolved again it is the address that was asked for.
  const own = mailboxTarget(parseAddress('ann@acme.example'), idOf(7));
  const from = 'x@acme.example';
  assert.deepEqual(resolved(from, held).targets, [{ ...own, options: { ...own.options, from } }]);
  const foreign = resolved('x@acme.example', tables([{ ...acme, catchall: 'Ann@remote.example' }], []));
  const target = hopTarget(parseAddress('Ann@remote.example'), 'remote.example');
  assert.deepEqual(foreign.targets, [{ ...target, options: { from } }]);
  assert.equal(foreign.relay, false, 'the owner of the domain has chosen this, not the sender');
  assert.equal(resolved('x@acme.example', tables([{ ...acme, catchall: 'y@acme.example' }], [])).reply, replies.loop);
});

test('a list reaches its members once each, whatever loops and repeats are in it', () => {
  const ann = user('ann', 7);
  const bob = user('bob', 8);
  const all = group('all', {
    members: [ann.dn, bob.dn, 'uid=gone,o=internet', `cn=inner,ou=groups,${acme.base}`],
    addressMembers: ['BOB@acme.example', 'c@remote.example', 'all@acme.example'],
  });
  const inner = group('inner', { members: [ann.dn, all.dn], addressMembers: ['c@remote.example'] });
  const { targets, reply, failures } = resolved('all@acme.example', tables([acme], [ann, bob, all, inner]));
  assert.deepEqual(targets, [
    mailboxTarget(parseAddress('ann@acme.example'), idOf(7)),
    mailboxTarget(parseAddress('bob@acme.example'), idOf(8)),
    hopTarget(parseAddress('c@remote.example'), 'remote.example'),
  ]);
  assert.equal(reply, replies.accepted);
  assert.deepEqual(failures, []);
});

test("a list with members that can't be reached says which, and goes to the others", () => {
  const held = tables(
    [acme],
    [
      user('ann', 7),
      user('bob', 8, { mailUserStatus: 'inactive' }),
      group('all', {
        members: [user('ann', 7).dn, user('bob', 8).dn],
        addressMembers: ['nobody@acme.example'],
      }),
    ],
  );
  const { targets, failures } = resolved('all@acme.example', held);
  assert.equal(targets.length, 1);
  assert.deepEqual(failures, [
    { recipient: parseAddress('bob@acme.example'), entry: 8, reply: replies.inactive },
    { recipient: parseAddress('nobody@acme.example'), reply: replies.noSuchUser },
  ]);
});

test('a list without a reachable member is refused for now, or for good when nobody will ever be there', () => {
  const bob = user('bob', 8, { mailUserStatus: 'inactive' });
  const reply = (more: Group): unknown => resolved('all@acme.example', tables([acme], [bob, group('all', more)])).reply;
  assert.equal(reply({}), replies.emptyGroup);
  assert.equal(reply({ members: ['uid=gone,o=internet'] }), replies.emptyGroup);
  assert.equal(reply({ addressMembers: ['x@acme.example'], members: [bob.dn] }), replies.inactive);
  assert.equal(reply({ addressMembers: ['x@acme.example'] }), replies.noSuchUser);
  assert.equal(reply({ addressMembers: ['all@acme.example'] }), replies.loop);
  assert.equal(reply({ inetMailGroupStatus: 'disabled', members: [bob.dn] }), replies.disabled);
});

test('lists nested too deep are refused for good and reach nobody', () => {
  const rows: RecipientRow[] = [user('ann', 7)];
  for (let depth = 0; depth <= GROUP_DEPTH_MAX; depth++)
    rows.push(
      group(`g${depth}`, {
        members: [depth === GROUP_DEPTH_MAX ? user('ann', 7).dn : `cn=g${depth + 1},ou=groups,${acme.base}`],
      }),
    );
  const tooDeep = resolved('g0@acme.example', tables([acme], rows));
  assert.equal(tooDeep.reply, replies.listTooLarge);
  assert.deepEqual(tooDeep.targets, []);
  assert.equal(resolved('g1@acme.example', tables([acme], rows)).reply, replies.accepted);
});

test('to verify a list, its first reachable member is enough', () => {
  let looked = 0;
  const members = Array.from({ length: 1000 }, (_, n) => user(`u${n}`, n + 1));
  const held = tables([acme], [group('all', { members: members.map((row) => row.dn) }), ...members]);
  const counting: RoutingTables = {
    ...held,
    recipient: (dn) => {
      looked++;
      return held.recipient(dn);
    },
  };
  assert.equal(resolved('all@acme.example', counting, { verify: true }).reply, replies.accepted);
  assert.equal(looked, 1);
});

test('steps are kept only when they are asked for', () => {
  const held = tables([acme], [user('ann', 7)]);
  assert.deepEqual(resolved('ann@acme.example', held).steps, []);
  assert.deepEqual(
    resolved('ann@acme.example', held, { explain: true }).steps.map(({ step }) => step),
    ['address', 'routing table', 'alias table', 'status', 'delivery option', 'channel', 'reply'],
  );
});

test('tables that are loaded by asking give the same answer as complete ones', () => {
  const locals = ['a', 'b', 'c', 'd', 'e', 'postmaster'];
  const name = fc.constantFrom(...locals);
  const dnOf = (local: string): string => `cn=${local},ou=groups,${acme.base}`;
  const row: fc.Arbitrary<(local: string) => RecipientRow> = fc.oneof(
    fc.nat(5).map((account) => (local: string) => ({ ...user(local, account), dn: dnOf(local) })),
    fc
      .tuple(fc.array(name, { maxLength: 4 }), fc.array(name, { maxLength: 3 }))
      .map(([members, addresses]) => (local: string) => ({
        ...group(local, { members: members.map(dnOf), addressMembers: addresses.map((a) => `${a}@acme.example`) }),
        dn: dnOf(local),
      })),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: locals.length }), fc.option(name), name, (makers, catchall, asked) => {
      const rows = [sitePostmaster, ...makers.map((make, n) => make(locals[n]!))];
      const route: RouteRow = catchall === null ? acme : { ...acme, catchall: `${catchall}@acme.example` };
      const complete = tables([route], rows);
      const routes = new Map<string, RouteRow | null>();
      const aliases = new Map<string, RecipientRow | null>();
      const recipients = new Map<string, RecipientRow | null>();
      const lists = new Map<string, unknown>();
      const known = (ask: string, ...of: unknown[]) => lists.get(JSON.stringify([ask, ...of])) as never;
      const partial: RoutingTables = {
        route: (domain) => routes.get(domain),
        alias: (key) => aliases.get(key),
        recipient: (dn) => recipients.get(dn),
        settings: () => noSettings,
        members: (list, after, limit) => known('members', list, after, limit),
        memberCount: (list) => known('memberCount', list),
        foundByUrl: (list, limit) => known('foundByUrl', list, limit),
        listsWith: (member) => known('listsWith', member),
        dynamicListsOver: (dn) => known('dynamicListsOver', dn),
        matches: (dn, url) => known('matches', dn, url),
        isTheirs: (domain) => known('isTheirs', domain),
      };
      const address = parseAddress(`${asked}@acme.example`);
      let answer = resolve(address, INTERNAL_REQUEST, partial, site, { explain: true });
      for (let round = 0; 'ask' in answer; round++) {
        assert.ok(round < 60, 'asks for ever');
        for (const domain of answer.ask.domains) routes.set(domain, complete.route(domain)!);
        for (const key of answer.ask.addresses) aliases.set(key, complete.alias(key)!);
        for (const dn of answer.ask.dns) recipients.set(dn, complete.recipient(dn)!);
        for (const { ask, ...of } of answer.ask.lists) {
          const given = Object.values(of) as never[];
          lists.set(JSON.stringify([ask, ...given]), (complete[ask] as (...of: never[]) => unknown)(...given));
        }
        answer = resolve(address, INTERNAL_REQUEST, partial, site, { explain: true });
      }
      assert.deepEqual(answer, resolve(address, INTERNAL_REQUEST, complete, site, { explain: true }));
    }),
  );
});
