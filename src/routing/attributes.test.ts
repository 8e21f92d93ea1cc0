// What each attribute of a domain, a user and a list does to the way of mail: compiled from entries, resolved, one line a case.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, idOf, type Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { Attribute, Entry } from '../directory/entry.ts';
import { parseAddress } from '../message/address.ts';
import { compileDomain, compileRecipient } from './compile.ts';
import { compileHost } from './compile-host.ts';
import { type RouteRequest, type RoutingTables, resolve, type StepName } from './resolve.ts';
import type { RecipientRow, RouteRow } from './rows.ts';
import { settingsOf } from './settings.ts';
import { testLists } from './testing.ts';

type Values = Readonly<Record<string, string | readonly string[]>>;

const site = { tenant: TENANT, hostnames: ['mail.example', 'old.example'] };
/** Who may not relay: what these get through, everybody gets through. */
const stranger: RouteRequest = { sender: undefined, caller: ANONYMOUS, mayRelay: false, door: 'smtp' };
const ACCOUNTS = { ann: 7, bob: 8, postmaster: 99 };

function entry(dn: string, values: Values): Entry {
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(values))
    attributes.set(name.toLowerCase(), { name, values: [value].flat() });
  const made = { createdAt: 0, modifiedAt: 0, revision: idOf<Revision>(5), uuid: dn, parent: 1 };
  return { id: 5, dn, normalizedDn: normalizeDn(dn), attributes, ...made };
}

const MAIL2 = compileHost(
  entry('cn=Mail2.example,ou=Hosts,ou=Waypost,o=internet', {
    objectClass: 'waypostHost',
    waypostHostAddress: ['192.0.2.2', '2001:DB8:0:0::2'],
  }),
)!;

interface World {
  readonly acme?: Values;
  readonly ann?: Values;
  readonly bob?: Values;
  readonly team?: Values;
  /** Further domains, by name. */
  readonly domains?: Readonly<Record<string, Values>>;
}

const domainClasses = { objectClass: ['domain', 'inetDomain', 'mailDomain'] };
const userClasses = { objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'] };
const groupClasses = { objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'] };
const BASE = 'dc=acme,dc=example,o=internet';
const dnOf = (domain: string): string => `dc=${domain.split('.').join(',dc=')},o=internet`;

/** acme.example with the users ann and bob and the list team, of bob alone; what a test gives is added to their entries. */
function tablesOf({ acme, ann, bob, team, domains = {} }: World): RoutingTables {
  const routes = [
    compileDomain(entry(BASE, { ...domainClasses, ...acme })),
    ...Object.entries(domains).map(([name, values]) =>
      compileDomain(entry(dnOf(name), { ...domainClasses, ...values })),
    ),
  ] as RouteRow[];
  const owned = routes.filter(({ base }) => base === normalizeDn(BASE)).map(({ domain }) => domain);
  const user = (name: keyof typeof ACCOUNTS, values: Values = {}): RecipientRow =>
    compileRecipient(
      entry(`uid=${name},ou=People,${BASE}`, { ...userClasses, mail: `${name}@acme.example`, ...values }),
      {
        domains: owned,
        account: idOf<AccountId>(ACCOUNTS[name]),
      },
    )!;
  const rows = new Map<string, RecipientRow>();
  const add = (dn: string, row: RecipientRow): void => void rows.set(normalizeDn(dn), row);
  add(`uid=ann,ou=People,${BASE}`, user('ann', ann));
  add(`uid=bob,ou=People,${BASE}`, user('bob', bob));
  const members = { mail: 'team@acme.example', uniqueMember: `uid=bob,ou=People,${BASE}` };
  const list = entry(`cn=team,ou=Groups,${BASE}`, { ...groupClasses, ...members, ...team });
  add(list.dn, compileRecipient(list, { domains: owned, account: idOf<AccountId>(0) })!);
  const root = entry('uid=postmaster,ou=Waypost,o=internet', userClasses);
  add(root.dn, compileRecipient(root, { domains: [], account: idOf<AccountId>(99) })!);
  const listed = new Map([[list.id, [`uid=bob,ou=people,${BASE}`]]]);
  return {
    ...testLists([...rows.values()], listed),
    route: (domain) => routes.find((route) => route.domain === domain) ?? null,
    alias: (key) => [...rows.values()].find((row) => row.addresses.includes(key)) ?? null,
    recipient: (dn) => rows.get(dn) ?? null,
    settings: () => settingsOf([MAIL2]),
  };
}

interface Outcome {
  /** `250 store 7`: the code, and each target with its account, or with its destination and its recipient. */
  readonly text: string;
  readonly steps: readonly StepName[];
  readonly reply: string;
}

function outcomeOf(world: World, address: string, request: RouteRequest = stranger): Outcome {
  const answer = resolve(parseAddress(address), request, tablesOf(world), site, { explain: true });
  assert.ok('resolution' in answer);
  const { reply, targets, steps } = answer.resolution;
  const ways = targets.map(({ channel, destination, recipient, options }) =>
    channel === 'store'
      ? `store ${String(options['account'])}`
      : `${channel} ${destination} ${recipient.localPart}@${recipient.domain}`,
  );
  const code = reply.code === 250 ? [] : [`${reply.code} ${reply.enhanced}`];
  return { text: [...code, ...ways].join(', '), steps: steps.map(({ step }) => step), reply: reply.text };
}

type Case = readonly [what: string, world: World, address: string, outcome: string, step?: StepName];

const HOLD = { mailUserStatus: 'hold' };
const NOBODY = '550 5.1.1';
const cases: readonly Case[] = [
  // The four statuses.
  ['nothing said', {}, 'ann@acme.example', 'store 7'],
  ['inactive', { acme: { inetDomainStatus: 'inactive' } }, 'ann@acme.example', '450 4.2.1'],
  ['disabled', { ann: { mailUserStatus: 'disabled' } }, 'ann@acme.example', '550 5.2.1'],
  ['deleted', { ann: { inetUserStatus: 'deleted' } }, 'ann@acme.example', NOBODY],
  ['removed', { ann: { mailUserStatus: 'removed' } }, 'ann@acme.example', NOBODY],
  ['overquota', { acme: { mailDomainStatus: 'overquota' } }, 'ann@acme.example', '452 4.2.2'],
  ['illegal', { ann: { inetUserStatus: 'asleep' } }, 'ann@acme.example', '451 4.3.5'],
  ['hold where the lineage has none', { acme: { inetDomainStatus: 'hold' } }, 'ann@acme.example', '451 4.3.5'],
  ['hold of a list', { team: { inetMailGroupStatus: 'hold' } }, 'team@acme.example', '451 4.3.5'],
  ['deleted, a list', { team: { inetMailGroupStatus: 'deleted' } }, 'team@acme.example', NOBODY],
  [
    'the first that is not active',
    { acme: { mailDomainStatus: 'hold' }, ann: { mailUserStatus: 'deleted' } },
    'ann@acme.example',
    'hold route acme.example ann@acme.example',
    'hold',
  ],
  [
    'the first that is not active, below',
    { ann: { inetUserStatus: 'inactive', ...HOLD } },
    'ann@acme.example',
    '450 4.2.1',
  ],
  ['hold', { ann: HOLD }, 'Ann+x@acme.example', `hold entry uid=ann,ou=people,${BASE} Ann+x@acme.example`, 'hold'],
  [
    'a member that is held',
    { bob: HOLD },
    'team@acme.example',
    `hold entry uid=bob,ou=people,${BASE} bob@acme.example`,
  ],
  [
    'a list of a held domain is one',
    { acme: { mailDomainStatus: 'hold' } },
    'team@acme.example',
    'hold route acme.example team@acme.example',
  ],
  ['nobody in a held domain', { acme: { mailDomainStatus: 'hold' } }, 'x@acme.example', NOBODY],
  [
    'somebody by the catch-all of a held domain',
    { acme: { mailDomainStatus: 'hold', mailDomainCatchallAddress: 'ann@acme.example' } },
    'x@acme.example',
    'hold route acme.example x@acme.example',
  ],
  [
    'somebody by the smart host of a held domain',
    { acme: { mailDomainStatus: 'hold', mailRoutingSmartHost: 'smart.example' } },
    'x@acme.example',
    'hold route acme.example x@acme.example',
  ],
  ['nobody in an inactive domain', { acme: { mailDomainStatus: 'inactive' } }, 'x@acme.example', '450 4.2.1'],
  [
    'postmaster of a held domain',
    { acme: { mailDomainStatus: 'hold' } },
    'postmaster@acme.example',
    'store 99',
    'postmaster',
  ],
  ['abuse of a deleted domain', { acme: { inetDomainStatus: 'deleted' } }, 'abuse@acme.example', 'store 99'],

  // mailHost, mailRoutingAddress.
  ['mailHost is ours', { ann: { mailHost: 'Mail.Example' } }, 'ann@acme.example', 'store 7'],
  ['mailHost is a former name of ours', { ann: { mailHost: 'old.example' } }, 'ann@acme.example', 'store 7'],
  [
    'mailHost is another',
    { ann: { mailHost: 'mail2.example' } },
    'Ann+x@acme.example',
    'smtp [mail2.example] Ann+x@acme.example',
    'mail host',
  ],
  [
    'mailHost is an address',
    { ann: { mailHost: '192.0.2.1' } },
    'ann@acme.example',
    'smtp [192.0.2.1] ann@acme.example',
  ],
  ['mailHost is none', { ann: { mailHost: 'a host' } }, 'ann@acme.example', 'store 7'],
  [
    'mailHost of a list',
    { team: { mailHost: 'mail2.example' } },
    'team@acme.example',
    'smtp [mail2.example] team@acme.example',
  ],
  [
    'mailHost of a member',
    { bob: { mailHost: 'mail2.example' } },
    'team@acme.example',
    'smtp [mail2.example] bob@acme.example',
  ],
  [
    'mailHost is behind the statuses',
    { ann: { mailHost: 'mail2.example', mailUserStatus: 'deleted' } },
    'ann@acme.example',
    NOBODY,
  ],
  [
    'what is not supported here may be there',
    { ann: { mailHost: 'mail2.example', mailDeliveryOption: 'forward' } },
    'ann@acme.example',
    'smtp [mail2.example] ann@acme.example',
  ],
  [
    'mailRoutingAddress',
    { ann: { mailRoutingAddress: 'bob@acme.example' } },
    'ann@acme.example',
    'store 8',
    'mail host',
  ],
  [
    'mailRoutingAddress of another domain',
    { ann: { mailRoutingAddress: 'a@far.example' } },
    'ann@acme.example',
    'smtp far.example a@far.example',
  ],
  [
    'mailRoutingAddress and mailHost of ours',
    { ann: { mailRoutingAddress: 'bob@acme.example', mailHost: 'mail.example' } },
    'ann@acme.example',
    'store 8',
  ],
  [
    'mailRoutingAddress and another mailHost',
    { ann: { mailRoutingAddress: 'bob@acme.example', mailHost: 'mail2.example' } },
    'ann@acme.example',
    'smtp [mail2.example] bob@acme.example',
  ],
  [
    'mailRoutingAddress of a list',
    { team: { mailRoutingAddress: 'ann@acme.example' } },
    'team@acme.example',
    'store 7',
  ],
  [
    'mailRoutingAddress to itself',
    { ann: { mailRoutingAddress: 'ann@acme.example' } },
    'ann@acme.example',
    '554 5.4.6',
    'loop',
  ],
  [
    'mailRoutingAddress in a circle',
    { ann: { mailRoutingAddress: 'bob@acme.example' }, bob: { mailRoutingAddress: 'ann@acme.example' } },
    'ann@acme.example',
    '554 5.4.6',
    'loop',
  ],

  // Addresses.
  ['mailEquivalentAddress', { ann: { mailEquivalentAddress: 'A.Nn@acme.example' } }, 'a.nn@acme.example', 'store 7'],
  ['a subaddress', {}, 'ann+news+2026@acme.example', 'store 7', 'subaddress'],
  ['a subaddress of a list', {}, 'team+x@acme.example', 'store 8', 'subaddress'],
  [
    'a claimed address with a plus',
    { bob: { mailAlternateAddress: 'ann+news@acme.example' } },
    'ann+news@acme.example',
    'store 8',
  ],
  ['a plus at the beginning', {}, '+ann@acme.example', NOBODY],
  [
    'a plus in a local part that is quoted',
    { ann: { mailAlternateAddress: '"a n"@acme.example' } },
    '"a n+x"@acme.example',
    NOBODY,
  ],
  ['a subaddress of nobody', {}, 'x+ann@acme.example', NOBODY],
  ['a percent sign', {}, 'ann%far.example@acme.example', NOBODY],
  ['a bang', {}, 'far.example!ann@acme.example', NOBODY],
  [
    'a claimed percent sign',
    { ann: { mailAlternateAddress: 'ann%far.example@acme.example' } },
    'ann%far.example@acme.example',
    'store 7',
  ],

  // Domains that are not local.
  [
    'mailRoutingHosts has ours',
    { acme: { mailRoutingHosts: ['mail2.example', 'OLD.example'] } },
    'ann@acme.example',
    'store 7',
  ],
  [
    'mailRoutingHosts has only others',
    { acme: { mailRoutingHosts: ['mail2.example', '192.0.2.1'] } },
    'nobody@acme.example',
    'smtp [mail2.example],[192.0.2.1] nobody@acme.example',
    'mail host',
  ],
  [
    'mailRoutingHosts has only others, for postmaster',
    { acme: { mailRoutingHosts: 'mail2.example' } },
    'postmaster@acme.example',
    'smtp [mail2.example] postmaster@acme.example',
  ],
  ['mailRoutingHosts names none', { acme: { mailRoutingHosts: 'a host' } }, 'ann@acme.example', 'store 7'],
  [
    'mailRoutingHosts is behind the statuses',
    { acme: { mailRoutingHosts: 'mail2.example', mailDomainStatus: 'inactive' } },
    'x@acme.example',
    '450 4.2.1',
  ],
  [
    'a held domain of others',
    { acme: { mailRoutingHosts: 'mail2.example', mailDomainStatus: 'hold' } },
    'x@acme.example',
    'hold route acme.example x@acme.example',
  ],
  [
    'mailRoutingHosts counts for members',
    {
      acme: { mailRoutingHosts: 'mail2.example' },
      domains: { 'two.example': { inetDomainBaseDN: BASE } },
      team: { mail: 'team@two.example' },
    },
    'team@two.example',
    'smtp [mail2.example] bob@acme.example',
  ],
  [
    'waypostRoute: mx',
    { acme: { waypostRoute: 'MX' } },
    'nobody@acme.example',
    'smtp acme.example nobody@acme.example',
    'mail host',
  ],
  [
    'waypostRoute: mx is behind the statuses',
    { acme: { waypostRoute: 'mx', inetDomainStatus: 'deleted' } },
    'x@acme.example',
    NOBODY,
  ],
  [
    'waypostRoute: mx beside hosts of ours',
    { acme: { waypostRoute: 'mx', mailRoutingHosts: 'mail.example' } },
    'x@acme.example',
    'smtp acme.example x@acme.example',
  ],
  [
    'waypostRoute: mx of the domain that an alias is of',
    { acme: { waypostRoute: 'mx' }, domains: { 'also.example': { aliasedObjectName: BASE } } },
    'x@also.example',
    'smtp acme.example x@also.example',
  ],
  [
    'waypostRoute: mx of the canonical domain',
    {
      acme: { waypostRoute: 'mx' },
      domains: { 'two.example': { inetDomainBaseDN: BASE, inetCanonicalDomainName: 'acme.example' } },
    },
    'x@two.example',
    'smtp acme.example x@two.example',
  ],
  ['waypostRoute: another word', { acme: { waypostRoute: 'round' } }, 'ann@acme.example', 'store 7'],

  // Unclaimed addresses.
  [
    'smart host',
    { acme: { mailRoutingSmartHost: 'Smart.Example:2525' } },
    'x+y@acme.example',
    'smtp [smart.example]:2525 x+y@acme.example',
    'smart host',
  ],
  [
    'smart host is an address',
    { acme: { mailRoutingSmartHost: '[192.0.2.1]' } },
    'x@acme.example',
    'smtp [192.0.2.1] x@acme.example',
  ],
  [
    'smart host takes nobody who is here',
    { acme: { mailRoutingSmartHost: 'smart.example' } },
    'ann@acme.example',
    'store 7',
  ],
  ['smart host is this host', { acme: { mailRoutingSmartHost: 'mail.example' } }, 'x@acme.example', NOBODY],
  ['smart host is none', { acme: { mailRoutingSmartHost: 'a host' } }, 'x@acme.example', NOBODY],
  [
    'the catch-all comes before the smart host',
    { acme: { mailRoutingSmartHost: 'smart.example', mailDomainCatchallAddress: 'ann@acme.example' } },
    'x@acme.example',
    'store 7',
    'catch-all',
  ],
  [
    'a deleted user is not for the smart host',
    { acme: { mailRoutingSmartHost: 'smart.example' }, ann: { mailUserStatus: 'deleted' } },
    'ann@acme.example',
    NOBODY,
  ],

  // More names of a domain.
  [
    'an alias',
    { domains: { 'also.example': { aliasedObjectName: BASE, mailDomainStatus: 'deleted' } } },
    'Ann+x@also.example',
    'store 7',
    'domain alias',
  ],
  ['nobody by an alias', { domains: { 'also.example': { aliasedObjectName: BASE } } }, 'x@also.example', NOBODY],
  [
    'postmaster by an alias',
    { domains: { 'also.example': { aliasedObjectName: BASE } } },
    'postmaster@also.example',
    'store 99',
  ],
  [
    "the target's status by an alias",
    { acme: { mailDomainStatus: 'hold' }, domains: { 'also.example': { aliasedObjectName: BASE } } },
    'ann@also.example',
    'hold route acme.example ann@also.example',
  ],
  [
    "the target's hosts by an alias",
    { acme: { mailRoutingHosts: 'mail2.example' }, domains: { 'also.example': { aliasedObjectName: BASE } } },
    'ann@also.example',
    'smtp [mail2.example] ann@also.example',
  ],
  [
    "the target's smart host by an alias",
    { acme: { mailRoutingSmartHost: 'smart.example' }, domains: { 'also.example': { aliasedObjectName: BASE } } },
    'x@also.example',
    'smtp [smart.example] x@also.example',
  ],
  [
    'an alias of nothing',
    { domains: { 'also.example': { aliasedObjectName: dnOf('gone.example') } } },
    'ann@also.example',
    '451 4.3.5',
    'domain alias',
  ],
  [
    'an alias of what is no domain',
    { domains: { 'also.example': { aliasedObjectName: 'ou=acme,o=internet' } } },
    'ann@also.example',
    '451 4.3.5',
  ],
  [
    'an alias of itself',
    { domains: { 'also.example': { aliasedObjectName: dnOf('also.example') } } },
    'ann@also.example',
    '451 4.3.5',
  ],
  [
    'an alias of an alias',
    {
      domains: {
        'also.example': { aliasedObjectName: BASE },
        'more.example': { aliasedObjectName: dnOf('also.example') },
      },
    },
    'ann@more.example',
    '451 4.3.5',
  ],
  [
    'a second node: the addresses that entries carry',
    { ann: { mailAlternateAddress: 'anna@two.example' }, domains: { 'two.example': { inetDomainBaseDN: BASE } } },
    'anna@two.example',
    'store 7',
  ],
  ['a second node: no others', { domains: { 'two.example': { inetDomainBaseDN: BASE } } }, 'ann@two.example', NOBODY],
  [
    'a second node: attributes of its own',
    {
      acme: { mailDomainStatus: 'deleted' },
      ann: { mailAlternateAddress: 'anna@two.example' },
      domains: { 'two.example': { inetDomainBaseDN: BASE } },
    },
    'anna@two.example',
    'store 7',
  ],
  [
    'a second node with a canonical one',
    { domains: { 'two.example': { inetDomainBaseDN: BASE, inetCanonicalDomainName: 'acme.example' } } },
    'ann+x@two.example',
    'store 7',
    'domain alias',
  ],
  [
    'nobody there either: its own catch-all',
    {
      domains: {
        'two.example': {
          inetDomainBaseDN: BASE,
          inetCanonicalDomainName: 'acme.example',
          mailDomainCatchallAddress: 'bob@acme.example',
        },
      },
    },
    'x@two.example',
    'store 8',
  ],
  [
    'a canonical one that is none',
    { domains: { 'two.example': { inetDomainBaseDN: BASE, inetCanonicalDomainName: 'gone.example' } } },
    'ann@two.example',
    NOBODY,
  ],
  [
    'the status of the second node',
    {
      domains: {
        'two.example': { inetDomainBaseDN: BASE, inetCanonicalDomainName: 'acme.example', mailDomainStatus: 'hold' },
      },
    },
    'ann@two.example',
    'hold route two.example ann@two.example',
  ],

  // Still 451.
  [
    'a delivery option without what it needs',
    { ann: { mailDeliveryOption: ['mailbox', 'shared', 'program', 'file'] } },
    'ann@acme.example',
    'store 7',
  ],
  ['a delivery option alone', { ann: { mailDeliveryOption: 'shared' } }, 'ann@acme.example', '451 4.3.5'],
  ['mgrpErrorsTo', { team: { mgrpErrorsTo: 'ann@acme.example' } }, 'team@acme.example', 'list  team@acme.example'],
  ['mgrpAddHeader', { team: { mgrpAddHeader: 'X: y' } }, 'team@acme.example', 'list  team@acme.example'],
  ['mgrpRemoveHeader', { team: { mgrpRemoveHeader: 'X' } }, 'team@acme.example', 'list  team@acme.example'],
  ['mgrpMsgPrefixText', { team: { mgrpMsgPrefixText: 'x' } }, 'team@acme.example', 'list  team@acme.example'],
  ['mgrpMsgSuffixText', { team: { mgrpMsgSuffixText: 'x' } }, 'team@acme.example', 'list  team@acme.example'],
  ['mgrpAuthPassword', { team: { mgrpAuthPassword: 'x' } }, 'team@acme.example', 'store 8'],
  ['mailSieveRuleSource', { ann: { mailSieveRuleSource: 'keep;' } }, 'ann@acme.example', '451 4.3.5'],
  ['mgrpNoDuplicateChecks', { team: { mgrpNoDuplicateChecks: 'yes' } }, 'team@acme.example', 'store 8'],
];

for (const [what, world, address, expected, step] of cases)
  test(`${what}: ${address} gets ${expected}`, () => {
    const { text, steps } = outcomeOf(world, address);
    assert.equal(text, expected);
    if (step !== undefined) assert.ok(steps.includes(step), `the step ${step} among ${steps.join(', ')}`);
  });

test('what is disabled says so in the words of its domain, a list in its own', () => {
  const acme = { waypostDisabledText: 'Closed since May.\r\n250 2.0.0 not a second line' };
  const disabled = { mailUserStatus: 'disabled' };
  assert.equal(outcomeOf({ acme, ann: disabled }, 'ann@acme.example').reply, 'Closed since May.');
  assert.equal(outcomeOf({ ann: disabled }, 'ann@acme.example').reply, 'Mailbox is disabled');
  const team = { inetMailGroupStatus: 'disabled', mailRejectText: 'The list is closed' };
  assert.equal(outcomeOf({ acme, team }, 'team@acme.example').reply, 'The list is closed');
  const domain = { ...acme, mailDomainStatus: 'disabled' };
  assert.equal(outcomeOf({ acme: domain, team }, 'team@acme.example').reply, 'Closed since May.');
  assert.equal(
    outcomeOf({ acme, ann: { mailUserStatus: 'inactive' } }, 'ann@acme.example').reply,
    'Mailbox is inactive, try again later',
  );
});

test('a message above the limit of the user or of the domain is refused where its size is known', () => {
  const sized = (sizeBytes: number): RouteRequest => ({ ...stranger, sizeBytes });
  const text = (world: World, size: number, address = 'ann@acme.example'): string =>
    outcomeOf(world, address, sized(size)).text;
  const [ann, acme] = [{ mailMsgMaxBlocks: '2' }, { mailDomainMsgMaxBlocks: '1' }];
  assert.equal(text({ ann }, 2048), 'store 7');
  assert.equal(text({ ann }, 2049), '552 5.2.3');
  assert.equal(text({ ann, acme }, 1025), '552 5.2.3');
  assert.equal(text({ acme }, 1024), 'store 7');
  assert.equal(text({ ann: { ...ann, mailHost: 'mail2.example' } }, 2049), '552 5.2.3');
  assert.equal(text({ acme: { ...acme, mailRoutingSmartHost: 'smart.example' } }, 1025, 'x@acme.example'), '552 5.2.3');
  assert.equal(text({ acme: { ...acme, waypostRoute: 'mx' } }, 1025), '552 5.2.3');
  assert.equal(text({ team: { mailMsgMaxBlocks: '1' } }, 1025, 'team@acme.example'), '552 5.2.3');
  assert.equal(outcomeOf({ ann, acme }, 'ann@acme.example').text, 'store 7', 'not known yet');
});

test('what comes from the mail host itself is not sent straight back', () => {
  const [ann, bob] = [{ mailHost: 'mail2.example' }, { mailHost: '192.0.2.9' }];
  const from = (peer: string, address = 'ann@acme.example'): string =>
    outcomeOf({ ann, bob }, address, { ...stranger, peer }).text;
  assert.equal(from('192.0.2.2'), '451 4.4.6');
  assert.equal(from('2001:db8::2'), '451 4.4.6');
  assert.equal(from('192.0.2.3'), 'smtp [mail2.example] ann@acme.example');
  assert.equal(from('192.0.2.9', 'bob@acme.example'), '451 4.4.6');
  assert.equal(from('192.0.2.2', 'team@acme.example'), 'smtp [192.0.2.9] bob@acme.example');
});

test('a long chain of routing addresses ends', () => {
  const chain = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, n) => [`d${n}.example`, { mailDomainCatchallAddress: `x@d${n + 1}.example` }]),
  );
  const { text } = outcomeOf({ domains: chain }, 'x@d0.example');
  assert.equal(text, '554 5.4.6');
  const { text: short } = outcomeOf({ domains: chain }, 'x@d9990.example');
  assert.equal(short, 'smtp d10000.example x@d10000.example');
});

// The same once more, the long way: what an address comes to by the values of the entries, read as the documentation says.

const LEVELS: Readonly<Record<string, readonly string[]>> = {
  inetDomainStatus: ['inactive', 'deleted', 'removed'],
  mailDomainStatus: ['inactive', 'disabled', 'deleted', 'removed', 'hold', 'overquota'],
  inetUserStatus: ['inactive', 'deleted', 'removed'],
  mailUserStatus: ['inactive', 'disabled', 'deleted', 'removed', 'hold', 'overquota'],
};
const SAID: Readonly<Record<string, string>> = {
  inactive: '450 4.2.1',
  disabled: '550 5.2.1',
  deleted: NOBODY,
  removed: NOBODY,
  overquota: '452 4.2.2',
};

type Person = 'ann' | 'bob';

/** One text for what becomes of an address, as outcomeOf gives it; undefined: it leads in a circle. */
class NaiveJudge {
  readonly #domains: Readonly<Record<string, Values>>;
  readonly #world: World;
  readonly #request: RouteRequest;
  readonly #followed = new Set<string>();

  constructor(world: World, request: RouteRequest) {
    this.#world = world;
    this.#domains = { 'acme.example': world.acme ?? {}, ...world.domains };
    this.#request = request;
  }

  judge(address: string, isFirst = true): string {
    const at = address.lastIndexOf('@');
    const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
    const own = this.#domains[domain];
    if (own === undefined) {
      if (site.hostnames.includes(domain)) return /^(postmaster|abuse)$/i.test(local) ? 'store 99' : NOBODY;
      return isFirst && !this.#request.mayRelay ? '550 5.7.1' : `smtp ${domain} ${address}`;
    }
    const aliased = this.#domainOfDn(own['aliasedObjectName']);
    if (aliased === undefined) return this.#inDomain(address, local, domain);
    const target = this.#domains[aliased];
    if (target === undefined || target['aliasedObjectName'] !== undefined) return '451 4.3.5';
    return this.#inDomain(address, local, aliased);
  }

  #domainOfDn(dn: string | readonly string[] | undefined): string | undefined {
    return dn === undefined ? undefined : (Object.keys(this.#domains).find((domain) => dnOf(domain) === dn) ?? 'none');
  }

  #inDomain(address: string, local: string, domain: string): string {
    if (!this.#isLocal(this.#domains[domain]!)) return this.#elsewhere(address, domain);
    const person = this.#personOf(local, domain);
    return person === undefined ? this.#unclaimed(address, local, domain) : this.#claimed(address, domain, person);
  }

  #hasOurs({ mailRoutingHosts: hosts }: Values): boolean {
    return hosts === undefined || [hosts].flat().some((host) => site.hostnames.includes(host));
  }

  #isLocal(values: Values): boolean {
    return this.#hasOurs(values) && values['waypostRoute'] === undefined;
  }

  #elsewhere(address: string, domain: string): string {
    const values = this.#domains[domain]!;
    const hosts = [values['mailRoutingHosts'] ?? []].flat().map((host) => `[${host}]`);
    const way = this.#hasOurs(values) ? domain : hosts.join(',');
    return this.#stop(address, domain) ?? this.#tooLarge(values) ?? `smtp ${way} ${address}`;
  }

  #personOf(local: string, domain: string): Person | undefined {
    const isOwned = domain === 'acme.example' || this.#domains[domain]!['inetDomainBaseDN'] === BASE;
    if (!isOwned) return undefined;
    const plus = local.indexOf('+');
    for (const name of plus > 0 ? [local, local.slice(0, plus)] : [local])
      for (const person of ['ann', 'bob'] as const) {
        const more = [this.#world[person]?.['mailAlternateAddress'] ?? []].flat();
        if ([`${person}@acme.example`, ...more].includes(`${name.toLowerCase()}@${domain}`)) return person;
      }
    return undefined;
  }

  #claimed(address: string, domain: string, person: Person): string {
    const values = this.#world[person] ?? {};
    const stop =
      this.#stop(address, domain, person) ?? this.#tooLarge(this.#domains[domain]!) ?? this.#tooLarge(values);
    if (stop !== undefined) return stop;
    const [host, other] = [
      values['mailHost'] as string | undefined,
      values['mailRoutingAddress'] as string | undefined,
    ];
    if (host !== undefined && !site.hostnames.includes(host)) return `smtp [${host}] ${other ?? address}`;
    if (other !== undefined) return this.#follow(person) ? this.judge(other, false) : '554 5.4.6';
    return values['mailDeliveryOption'] === undefined ? `store ${ACCOUNTS[person]}` : '451 4.3.5';
  }

  #unclaimed(address: string, local: string, domain: string): string {
    if (/^(postmaster|abuse)$/i.test(local)) return 'store 99';
    const values = this.#domains[domain]!;
    const canonical = values['inetCanonicalDomainName'] as string | undefined;
    const there = canonical === undefined ? undefined : this.#domains[canonical];
    const isThere = there !== undefined && canonical !== domain && there['aliasedObjectName'] === undefined;
    const isElsewhere = isThere && !this.#isLocal(there);
    const person = isThere && !isElsewhere ? this.#personOf(local, canonical!) : undefined;
    const smartHost = [values['mailRoutingSmartHost'] as string | undefined].find(
      (host) => !site.hostnames.includes(host!),
    );
    const catchall = values['mailDomainCatchallAddress'] as string | undefined;
    const isTaken = isElsewhere || person !== undefined || catchall !== undefined || smartHost !== undefined;
    const stop = this.#stop(address, domain) ?? this.#tooLarge(values);
    if (stop !== undefined && !(stop.startsWith('hold') && !isTaken)) return stop;
    if (isElsewhere) return this.#elsewhere(address, canonical!);
    if (person !== undefined) return this.#claimed(address, canonical!, person);
    if (catchall !== undefined) return this.#follow(domain) ? this.judge(catchall, false) : '554 5.4.6';
    return smartHost === undefined ? NOBODY : `smtp [${smartHost}] ${address}`;
  }

  #follow(what: string): boolean {
    if (this.#followed.has(what)) return false;
    this.#followed.add(what);
    return true;
  }

  #stop(address: string, domain: string, person?: Person): string | undefined {
    for (const [level, words] of Object.entries(LEVELS)) {
      const isOfDomain = level.includes('Domain');
      const values = isOfDomain ? this.#domains[domain]! : person === undefined ? {} : (this.#world[person] ?? {});
      const word = values[level] as string | undefined;
      if (word === undefined || word === 'active') continue;
      if (!words.includes(word)) return '451 4.3.5';
      if (word !== 'hold') return SAID[word]!;
      const what = isOfDomain ? `route ${domain}` : `entry uid=${person},ou=people,${BASE}`;
      return `hold ${what} ${address}`;
    }
    return undefined;
  }

  #tooLarge(values: Values): string | undefined {
    const blocks = values['mailDomainMsgMaxBlocks'] ?? values['mailMsgMaxBlocks'];
    return blocks !== undefined && (this.#request.sizeBytes ?? 0) > Number(blocks) * 1024 ? '552 5.2.3' : undefined;
  }
}

const DOMAINS = ['acme.example', 'two.example', 'three.example', 'four.example'];
const rarely = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const sometimes = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });
const local = fc.constantFrom('ann', 'bob', 'Cy', 'ann+x', 'dan', 'postmaster', 'Abuse', '+x', 'a%b');
const anyAddress = fc
  .tuple(local, fc.constantFrom(...DOMAINS, 'far.example', 'mail.example'))
  .map(([name, domain]) => `${name}@${domain}`);
const host = fc.constantFrom('mail.example', 'old.example', 'mail2.example', '192.0.2.1');
const statusOf = (level: string) => rarely(fc.constantFrom('active', 'hold', 'hold', 'nonsense', ...LEVELS[level]!));
const valuesOf = (values: Readonly<Record<string, fc.Arbitrary<string | readonly string[] | undefined>>>) =>
  fc
    .record(values)
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Values);
const domainValues = {
  inetDomainStatus: statusOf('inetDomainStatus'),
  mailDomainStatus: statusOf('mailDomainStatus'),
  mailRoutingHosts: rarely(fc.uniqueArray(host, { minLength: 1, maxLength: 3 })),
  waypostRoute: rarely(fc.constant('mx')),
  mailRoutingSmartHost: sometimes(host),
  mailDomainCatchallAddress: sometimes(anyAddress),
  mailDomainMsgMaxBlocks: rarely(fc.constantFrom('1', '3')),
};
const furtherDomain = valuesOf({
  ...domainValues,
  inetDomainBaseDN: fc.constantFrom(BASE, BASE, undefined),
  aliasedObjectName: sometimes(fc.constantFrom(...DOMAINS, 'gone.example').map(dnOf)),
  inetCanonicalDomainName: sometimes(fc.constantFrom(...DOMAINS, 'gone.example')),
});
const person = (more: readonly string[]) =>
  valuesOf({
    inetUserStatus: statusOf('inetUserStatus'),
    mailUserStatus: statusOf('mailUserStatus'),
    mailHost: rarely(host),
    mailRoutingAddress: sometimes(anyAddress),
    mailMsgMaxBlocks: rarely(fc.constantFrom('1', '2')),
    mailDeliveryOption: rarely(fc.constant('forward')),
    mailAlternateAddress: fc.subarray([...more]),
  });
const world: fc.Arbitrary<World> = fc.record({
  acme: valuesOf(domainValues),
  ann: person(['ann@two.example', 'cy@two.example', 'ann@three.example']),
  bob: person(['bob@two.example', 'ann+x@acme.example', 'a%b@acme.example']),
  domains: fc.record(Object.fromEntries(DOMAINS.slice(1).map((domain) => [domain, furtherDomain]))),
});

test('an address comes to what a naive judge reads in the entries', () => {
  const sizeBytes = fc.constantFrom(500, 1500, 2500, 5000);
  const seen = new Set<string>();
  fc.assert(
    fc.property(world, anyAddress, sizeBytes, fc.boolean(), (made, address, size, mayRelay) => {
      const request = { ...stranger, mayRelay, sizeBytes: size };
      const { text } = outcomeOf(made, address, request);
      assert.equal(text, new NaiveJudge(made, request).judge(address));
      assert.equal(outcomeOf(made, address, request).text, text);
      seen.add(text.split(' ').slice(0, 2).join(' '));
    }),
    { numRuns: 5000 },
  );
  for (const each of [
    'store 7',
    'store 99',
    'hold route',
    'hold entry',
    'smtp [mail2.example]',
    'smtp two.example',
    '552 5.2.3',
    '554 5.4.6',
  ])
    assert.ok(seen.has(each), `${each} among ${[...seen].join('; ')}`);
});
