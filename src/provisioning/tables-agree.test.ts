// After any sequence of directory changes, the tables kept change by change equal a full compile of all entries, and both
// equal what a naive compiler, written from the documentation, makes of the same entries.
// This one property is worth a hundred cases.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type NaiveTables, naiveTables } from '../../test/support/naive-tables.ts';
import { Failure } from '../base/failure.ts';
import { operation, type Reader } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { attributesOfJson } from '../directory/entries.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { readState } from '../routing/generation.ts';
import { synchronizeFully } from '../routing/rebuild.ts';
import { readSettings } from '../routing/setting-rows.ts';
import { readTables } from '../routing/testing.ts';
import { type Difference, verifyTables } from '../routing/verify.ts';
import { applyAll } from './change.ts';
import { reachState } from './domain-state.ts';
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
  type TestDirectory,
  userDn,
} from './testing.ts';

const domain = fc.constantFrom('example', 'acme.example', 'sales.acme.example', 'b.test');
const name = fc.constantFrom('ann', 'bob', 'cy');
const address = fc.tuple(name, domain).map(([local, of]) => `${local}@${of}`);
const listAddress = fc.tuple(fc.constantFrom('all', 'ann'), domain).map(([local, of]) => `${local}@${of}`);
const base = fc.constantFrom(
  'ou=Org,o=internet',
  domainDn('acme.example'),
  'o=internet',
  'OU = Sub , ou=org,O=Internet',
);
/** Values of address attributes that are none of the domain's, or none at all. */
const oddAddress = fc.constantFrom('Ann@ACME.Example', ' cy@b.test ', 'x@elsewhere.example', 'nobody', '@b.test');
const status = fc.constantFrom('active', 'Inactive', 'deleted', 'hold', 'nonsense');
const access = fc.constantFrom(
  '-imap:*',
  '+imap,SMTPS : 192.0.2.0/24, 198.51.100.7$+pop:ALL',
  ' -ALL EXCEPT ldap EXCEPT ldaps : 10.0.0.0/255.0.0.0 EXCEPT 10.1.0.0/16',
  // Does not parse: the change is refused.
  '+imap:mail.example',
  [],
);
const memberDn = fc.oneof(
  address.map(userDn),
  address.map((of) => userDn(of).toUpperCase().replaceAll(',', ' , ')),
  listAddress.map(groupDn),
);

const aliased = fc.oneof(domain.map(domainDn), fc.constantFrom(domainDn('gone.test'), 'ou=Org,o=internet'));
const associated = fc.uniqueArray(fc.constantFrom('b.test', 'sales.acme.example', 'more.test', 'other.test'), {
  maxLength: 2,
});
const host = fc.constantFrom('mail.test.example', 'mail2.example');

/** Some parse, some do not: those changes are refused. */
const patterns = fc.constantFrom('.acme.example', '*.b.test', 'gone.test', '$*', '.', '[192.0.2.]', 'a..b');
const templates = fc.constantFrom(
  '$U%acme.example',
  '$U%$H@partner',
  '$U@$D@[mail2.example]@slow',
  '$Msmtp$?no mail',
  '$U%$H@',
  '$q',
);
const keywords = fc.uniqueArray(
  fc.constantFrom(
    'mx',
    'nomx',
    'daemon [192.0.2.9]:2525 [mail2.example]',
    'port 2525',
    'musttls',
    'notls',
    'backoff 5m 1h',
    'notices 2d',
    'maxjobs 3',
    'blocklimit 5MiB',
    'unheard of',
  ),
  { maxLength: 3 },
);
const below = (container: string, cn: string): string => `cn=${cn},ou=${container},ou=Waypost,o=internet`;
const ruleDn = fc.constantFrom('r1', 'r2', 'R3').map((cn) => below('Rules', cn));
const channelName = fc.constantFrom('partner', 'slow', 'Smtp', 'hold');
const channelDn = channelName.map((cn) => below('Channels', cn));
const hostDn = host.map((cn) => below('Hosts', cn));
const addresses = fc.uniqueArray(fc.constantFrom('192.0.2.9', '2001:DB8::9', 'nowhere'), { maxLength: 2 });
const policyDn = fc.constantFrom('p1', 'P2').map((cn) => below('Policies', cn));
const settingDn = fc.oneof(ruleDn, channelDn, hostDn, policyDn);
const boolean = fc.constantFrom('TRUE', 'FALSE', []);

const settingChange: fc.Arbitrary<DirectoryChange> = fc.oneof(
  fc
    .tuple(ruleDn, patterns, templates)
    .map(([dn, waypostPattern, waypostTemplate]) =>
      add(dn, { objectClass: 'waypostRewriteRule', waypostPattern, waypostTemplate }),
    ),
  fc.tuple(ruleDn, templates).map(([dn, waypostTemplate]) => replace(dn, { waypostTemplate })),
  fc
    .tuple(ruleDn, fc.constantFrom('7', '9999', '10000', []), boolean)
    .map(([dn, waypostOrder, waypostEnabled]) => replace(dn, { waypostOrder, waypostEnabled })),
  fc
    .tuple(channelDn, fc.constantFrom('smtp', 'SMTP', 'hold', 'Discard', 'nonsense'), keywords)
    .map(([dn, waypostChannelKind, waypostKeyword]) =>
      add(dn, {
        objectClass: 'waypostChannel',
        waypostChannelKind,
        ...(waypostKeyword.length === 0 ? {} : { waypostKeyword }),
      }),
    ),
  fc.tuple(channelDn, keywords).map(([dn, waypostKeyword]) => replace(dn, { waypostKeyword })),
  fc.tuple(channelDn, boolean).map(([dn, waypostPaused]) => replace(dn, { waypostPaused })),
  fc
    .tuple(hostDn, addresses)
    .map(([dn, waypostHostAddress]) =>
      add(dn, { objectClass: 'waypostHost', ...(waypostHostAddress.length === 0 ? {} : { waypostHostAddress }) }),
    ),
  fc
    .tuple(hostDn, addresses, fc.constantFrom('2525', []))
    .map(([dn, waypostHostAddress, waypostHostPort]) => replace(dn, { waypostHostAddress, waypostHostPort })),
  fc
    .tuple(
      policyDn,
      fc.constantFrom('off', 'Propose', 'approve', 'auto', 'later'),
      fc.uniqueArray(fc.constantFrom('*', 'A.example', '*.b.test', '*.test', 'a b'), { maxLength: 2 }),
      boolean,
    )
    .map(([dn, waypostPolicyAction, waypostMatchDomain, waypostMatchParent]) =>
      add(dn, {
        objectClass: 'waypostDomainPolicy',
        waypostPolicyAction,
        ...(waypostMatchDomain.length === 0 ? {} : { waypostMatchDomain }),
        ...(waypostMatchParent.length === 0 ? {} : { waypostMatchParent }),
      }),
    ),
  fc
    .tuple(policyDn, fc.constantFrom('7', '10000', []), boolean, boolean, fc.constantFrom('secret', []))
    .map(([dn, waypostPolicyOrder, waypostAllowWildcard, waypostCustody, waypostMatchToken]) =>
      replace(dn, { waypostPolicyOrder, waypostAllowWildcard, waypostCustody, waypostMatchToken }),
    ),
  settingDn.map(remove),
  // Elsewhere it is no rule, channel, host or policy.
  fc.tuple(settingDn, fc.constantFrom('Rules', 'Channels', 'Hosts', 'Policies', 'Sources')).map(
    ([dn, to]): DirectoryChange => ({
      kind: 'rename',
      dn,
      newRdn: 'cn=moved',
      deleteOldRdn: true,
      newSuperior: `ou=${to},ou=Waypost,o=internet`,
    }),
  ),
);

const listUrl = fc
  .tuple(
    base.filter((dn) => !dn.includes(' ')),
    fc.constantFrom('', 'one', 'sub'),
    fc.constantFrom('', '(uid=ann)'),
  )
  .map(([dn, scope, filter]) => `ldap:///${dn}??${scope}?${filter}`);
const party = fc.oneof(
  address,
  memberDn,
  listUrl,
  address.map((of) => `mailto:${of}?subject=x`),
);
const parties = fc.uniqueArray(party, { maxLength: 2 });
const globs = fc.uniqueArray(fc.constantFrom('*.Example', 'b.test', '*'), { maxLength: 2 });

/** Mostly the one that is there from the start. */
const aList = fc.oneof({ weight: 3, arbitrary: fc.constant('all@b.test') }, { weight: 1, arbitrary: listAddress });

const listChange: fc.Arbitrary<DirectoryChange> = fc.oneof(
  fc
    .tuple(aList, fc.uniqueArray(listUrl, { maxLength: 2 }), fc.uniqueArray(listUrl, { maxLength: 1 }))
    .map(([own, memberURL, mgrpDeliverTo]) => replace(groupDn(own), { memberURL, mgrpDeliverTo })),
  fc
    .tuple(aList, globs, globs)
    .map(([own, mgrpAllowedDomain, mgrpDisallowedDomain]) =>
      replace(groupDn(own), { mgrpAllowedDomain, mgrpDisallowedDomain }),
    ),
  fc
    .tuple(aList, parties, fc.constantFrom('AUTH_REQ', 'smtp_auth_required,or', 'OR', []))
    .map(([own, mgrpDisallowedBroadcaster, mgrpBroadcasterPolicy]) =>
      replace(groupDn(own), { mgrpDisallowedBroadcaster, mgrpBroadcasterPolicy }),
    ),
  fc
    .tuple(aList, parties, fc.constantFrom('toModerator', 'reply', []))
    .map(([own, mgrpModerator, mgrpMsgRejectAction]) => replace(groupDn(own), { mgrpModerator, mgrpMsgRejectAction })),
  fc
    .tuple(aList, fc.constantFrom('1000', '0', []), fc.constantFrom('No.', []), fc.constantFrom('Never.', []))
    .map(([own, mgrpMsgMaxSize, mgrpMsgRejectText, mailRejectText]) =>
      replace(groupDn(own), { mgrpMsgMaxSize, mgrpMsgRejectText, mailRejectText }),
    ),
);

/** Below the zone of a primary: a message brings it, and a look at its record makes it active. See tryApply. */
const BROUGHT = domainDn('new.isp.test');
const arrivalChange: fc.Arbitrary<DirectoryChange> = fc.oneof(
  fc.constant(addDomain('new.isp.test')),
  fc.constantFrom('published', 'active').map((state) => replace(BROUGHT, { waypostDomainState: state })),
  fc.constantFrom('active', 'inactive').map((mailDomainStatus) => replace(BROUGHT, { mailDomainStatus })),
  fc.constant(remove(BROUGHT)),
);

const person = { objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'], cn: 'x', sn: 'x' };

const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
  { weight: 8, arbitrary: settingChange },
  { weight: 5, arbitrary: listChange },
  { weight: 2, arbitrary: arrivalChange },
  { weight: 4, arbitrary: domain.map((of) => addDomain(of)) },
  fc.tuple(domain, base).map(([of, inetDomainBaseDN]) => addDomain(of, { inetDomainBaseDN })),
  {
    weight: 5,
    arbitrary: fc
      .tuple(address, fc.array(address, { maxLength: 2 }))
      .map(([own, mail]) => addUser(own, { mail: [...new Set([own, ...mail])] })),
  },
  fc
    .tuple(name, address, fc.constantFrom('ou=Org,o=internet', 'ou=Sub,ou=Org,o=internet'))
    .map(([uid, mail, above]) => add(`uid=${uid},${above}`, { ...person, uid, mail })),
  fc.tuple(listAddress, fc.uniqueArray(memberDn, { maxLength: 3 })).map(([own, members]) => addGroup(own, members)),
  fc.tuple(domain, base).map(([of, inetDomainBaseDN]) => replace(domainDn(of), { inetDomainBaseDN })),
  domain.map((of) => replace(domainDn(of), { inetDomainBaseDN: [] })),
  fc
    .tuple(domain, aliased)
    .map(([of, aliasedObjectName]) => addDomain(of, { objectClass: ['domain', 'inetDomainAlias'], aliasedObjectName })),
  fc.tuple(domain, aliased).map(([of, aliasedObjectName]) => replace(domainDn(of), { aliasedObjectName })),
  domain.map((of) => replace(domainDn(of), { aliasedObjectName: [] })),
  domain.map((of) => addDomain(of, { objectClass: ['domain', 'inetDomain'] })),
  domain.map((of) => replace(domainDn(of), { objectClass: ['domain', 'inetDomain'], inetDomainBaseDN: [] })),
  {
    weight: 3,
    arbitrary: fc.tuple(domain, associated).map(([of, names]) => replace(domainDn(of), { associatedDomain: names })),
  },
  domain.map((of) => replace(domainDn(of), { waypostRoute: 'mx' })),
  fc.tuple(address, host).map(([own, mailHost]) => replace(userDn(own), { mailHost })),
  fc.tuple(address, address).map(([own, mailEquivalentAddress]) => replace(userDn(own), { mailEquivalentAddress })),
  fc.tuple(domain, address).map(([of, to]) => replace(domainDn(of), { mailDomainCatchallAddress: to })),
  domain.map((of) =>
    replace(domainDn(of), { objectClass: 'domain', inetDomainBaseDN: [], mailDomainCatchallAddress: [] }),
  ),
  fc.tuple(address, status).map(([own, mailUserStatus]) => replace(userDn(own), { mailUserStatus })),
  fc.tuple(address, fc.uniqueArray(address, { maxLength: 2 })).map(([own, mail]) => replace(userDn(own), { mail })),
  fc
    .tuple(listAddress, fc.uniqueArray(memberDn, { maxLength: 3 }))
    .map(([own, uniqueMember]) => replace(groupDn(own), { uniqueMember })),
  {
    weight: 3,
    arbitrary: fc
      .tuple(address, fc.uniqueArray(fc.oneof(address, listAddress, oddAddress), { maxLength: 3 }))
      .map(([own, mailAlternateAddress]) => replace(userDn(own), { mailAlternateAddress })),
  },
  fc
    .tuple(listAddress, fc.uniqueArray(fc.oneof(address, memberDn), { maxLength: 2 }))
    .map(([own, mgrpAllowedBroadcaster]) => replace(groupDn(own), { mgrpAllowedBroadcaster })),
  fc
    .tuple(listAddress, fc.uniqueArray(fc.oneof(address, oddAddress), { maxLength: 3 }), status)
    .map(([own, mgrpRFC822MailMember, inetMailGroupStatus]) =>
      replace(groupDn(own), { mgrpRFC822MailMember, inetMailGroupStatus }),
    ),
  fc
    .tuple(domain, status, status)
    .map(([of, inetDomainStatus, mailDomainStatus]) => replace(domainDn(of), { inetDomainStatus, mailDomainStatus })),
  fc.tuple(address, status).map(([own, inetUserStatus]) => replace(userDn(own), { inetUserStatus })),
  fc
    .tuple(fc.oneof(address.map(userDn), listAddress.map(groupDn)), access)
    .map(([own, mailAllowedServiceAccess]) => replace(own, { mailAllowedServiceAccess })),
  fc
    .tuple(domain, access)
    .map(([of, mailDomainAllowedServiceAccess]) => replace(domainDn(of), { mailDomainAllowedServiceAccess })),
  { weight: 2, arbitrary: fc.oneof(address.map(userDn), listAddress.map(groupDn), domain.map(domainDn)).map(remove) },
  fc.tuple(address, domain).map(
    ([own, to]): DirectoryChange => ({
      kind: 'rename',
      dn: userDn(own),
      newRdn: `uid=${own.split('@')[0]}`,
      deleteOldRdn: true,
      newSuperior: `ou=People,${domainDn(to)}`,
    }),
  ),
  // With all that is below, bases among them; and back.
  fc
    .tuple(
      fc.oneof(
        fc.constantFrom(
          'ou=Org,o=internet',
          'ou=Moved,o=internet',
          'ou=Sub,ou=Org,o=internet',
          'ou=Sub,ou=Moved,o=internet',
        ),
        domain.map((of) => `ou=People,${domainDn(of)}`),
        domain.map(domainDn),
      ),
      fc.constantFrom('ou=Org', 'ou=Moved', 'ou=Sub', 'ou=People', undefined),
      fc.option(fc.oneof(fc.constantFrom('o=internet', 'ou=Org,o=internet'), domain.map(domainDn)), { nil: undefined }),
    )
    .map(
      ([dn, rdn, newSuperior]): DirectoryChange => ({
        kind: 'rename',
        dn,
        newRdn: rdn === undefined || dn.startsWith('dc=') ? dn.slice(0, dn.indexOf(',')) : rdn,
        deleteOldRdn: true,
        newSuperior,
      }),
    ),
);

/** What the tables say, without what is not the compiler's: ids, accounts, problems. */
function compiledTables({ reader }: TestDirectory): NaiveTables {
  const tables = readTables(reader);
  const routes: Record<string, object> = {};
  const recipients: Record<string, object> = {};
  const settings: Record<string, object> = {};
  for (const row of reader.snapshot(() => readSettings(reader, readState(reader).generation))) {
    const { kind, key, problems: _problems, ...setting } = row;
    settings[`${kind} ${key}`] = setting;
  }
  for (const [domain, , row] of tables.routes as string[][]) {
    const { domain: _, problems: _problems, ...route } = JSON.parse(row!);
    routes[domain!] = route;
  }
  for (const [dn, row] of tables.entries as string[][]) {
    const { entry: _, uuid: _uuid, dn: _dn, account: _account, problems: _problems, ...recipient } = JSON.parse(row!);
    recipients[dn!] = recipient;
  }
  return { routes, aliases: Object.fromEntries(tables.aliases as [string, string][]), recipients, settings };
}

function judgedTables({ reader }: TestDirectory): NaiveTables {
  const rows = reader.arrays('SELECT id, dn, attributes FROM dit ORDER BY id');
  return naiveTables(
    rows.map(([id, dn, attributes]) => {
      const values = new Map<string, string[]>();
      for (const [name, of] of attributesOfJson(String(attributes))) values.set(name, of.values.map(String));
      const members = reader.arrays('SELECT attribute, value FROM dit_value WHERE entry = ? ORDER BY id', id!);
      for (const [name, value] of members as string[][]) values.set(name!, [...(values.get(name!) ?? []), value!]);
      return { dn: String(dn), values };
    }),
  );
}

/** What nobody but the program may do: a message brings a domain, its state is reached. */
const arrives = operation('test.arrives', async (tx, change: DirectoryChange): Promise<void> => {
  const options = { now: 0, site: { hostname: 'mail.test.example', mode: 'embedded' } } as const;
  const [first] = change.kind === 'modify' ? change.modifications : [];
  if (first?.attribute === 'waypostDomainState')
    await reachState(tx, { domain: 'new.isp.test', state: first.values[0] as 'published' | 'active', ...options });
  else await applyAll(tx, [change], SERVER, { ...options, broughtBy: { evidence: '{}' } });
});

/** Many of the random changes do not go: that is part of the test. */
async function tryApply(directory: TestDirectory, changes: readonly DirectoryChange[]): Promise<void> {
  try {
    const [first] = changes;
    if (first?.dn === BROUGHT) await directory.writer.execute(arrives, first);
    else await directory.apply(...changes);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind === 'unavailable') throw error;
  }
}

async function openWithOrganization(): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  await directory.apply(
    add('ou=Org,o=internet', { objectClass: 'organizationalUnit', ou: 'Org' }),
    add('ou=Sub,ou=Org,o=internet', { objectClass: 'organizationalUnit', ou: 'Sub' }),
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    add(below('Hosts', 'primary'), {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'primary',
      waypostNameServerAddress: '192.0.2.53',
      waypostZone: 'isp.test',
    }),
    addDomain('b.test'),
    addUser('bob@b.test'),
    addGroup('all@b.test', [userDn('ann@acme.example')]),
    add(below('Channels', 'partner'), { objectClass: 'waypostChannel', waypostChannelKind: 'smtp' }),
    add(below('Rules', 'r1'), {
      objectClass: 'waypostRewriteRule',
      waypostPattern: 'gone.test',
      waypostTemplate: '$U%$H@partner',
    }),
  );
  return directory;
}

test('incremental synchronization and a full one make the same tables', async () => {
  const batches = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.tuple(change) },
      { weight: 1, arbitrary: fc.array(change, { minLength: 2, maxLength: 3 }) },
    ),
    {
      minLength: 20,
      maxLength: 60,
      size: 'max',
    },
  );
  await fc.assert(
    fc.asyncProperty(batches, fc.nat(60), async (sequence, startRebuildAt) => {
      const directory = await openWithOrganization();
      const { writer, reader } = directory;
      try {
        const full = synchronizeFully(writer);
        let isDone = false;
        for (const [n, changes] of sequence.entries()) {
          await tryApply(directory, changes);
          if (n % 5 === 0) assert.deepEqual(compiledTables(directory), judgedTables(directory));
          if (!isDone && n >= startRebuildAt && n % 3 === 0) isDone = (await full.next()).done === true;
        }
        const incremental = readTables(reader);
        for (let step = await full.next(); step.done !== true; ) step = await full.next();
        assert.deepEqual(readTables(reader), incremental);
        assert.deepEqual(proved(reader), []);
        assert.deepEqual(compiledTables(directory), judgedTables(directory));
      } finally {
        directory.close();
      }
    }),
    { numRuns: 40 },
  );
});

/** What the proof names. */
function proved(reader: Reader): readonly Difference[] {
  const pages = verifyTables(reader);
  for (;;) {
    const page = pages.next();
    if (page.done === true) return page.value.differences;
  }
}
