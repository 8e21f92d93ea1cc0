// Entries to rows: what an entry says in whatever spelling, and what it says that cannot be used.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, idOf, type Revision } from '../base/ids.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { Attribute, Entry } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { compileDomain, compileRecipient } from './compile.ts';

function entry(dn: string, values: Readonly<Record<string, readonly string[]>>): Entry {
  const attributes = new Map<string, Attribute>();
  for (const [name, list] of Object.entries(values)) attributes.set(name.toLowerCase(), { name, values: list });
  const made = { createdAt: 0, modifiedAt: 0, revision: idOf<Revision>(5), uuid: 'u', parent: 1 };
  return { id: 5, dn, normalizedDn: normalizeDn(dn), attributes, ...made };
}

const domainClasses = { objectClass: ['domain', 'inetDomain', 'mailDomain'] };
const userClasses = { objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'] };
const groupClasses = { objectClass: ['groupOfUniqueNames', 'inetMailGroup'] };
const acme = { domains: ['acme.example'], account: idOf<AccountId>(7) };

test('a domain says no more than its entry does', () => {
  assert.deepEqual(compileDomain(entry('dc=Acme,dc=example,o=Internet', domainClasses)), {
    domain: 'acme.example',
    base: 'dc=acme,dc=example,o=internet',
  });
});

test('a domain with everything', () => {
  const row = compileDomain(
    entry('dc=acme,dc=example,o=internet', {
      ...domainClasses,
      inetDomainBaseDN: ['OU=Acme,  O=Internet'],
      inetDomainStatus: ['ACTIVE'],
      mailDomainStatus: ['disabled'],
      mailDomainCatchallAddress: ['"Ann"@Acme.Example'],
      mailRoutingHosts: ['Mail.Example'],
      mailRoutingSmartHost: ['Smart.example'],
      inetCanonicalDomainName: ['Main.Example'],
      waypostRoute: ['MX'],
      waypostDisabledText: ['Closed since May.\r\nAsk the office'],
      mailDomainMsgMaxBlocks: ['10'],
    }),
  );
  assert.deepEqual(row, {
    domain: 'acme.example',
    base: 'ou=acme,o=internet',
    canonical: 'main.example',
    inetDomainStatus: 'active',
    mailDomainStatus: 'disabled',
    disabledText: 'Closed since May.',
    catchall: 'Ann@acme.example',
    routingHosts: ['mail.example'],
    isMx: true,
    smartHost: '[smart.example]',
    sizeMax: 10_240,
  });
});

test('an alias of a domain says which, and nothing else counts', () => {
  const aliasClasses = { objectClass: ['domain', 'inetDomainAlias'] };
  const compiled = (values: Readonly<Record<string, readonly string[]>>) =>
    compileDomain(entry('dc=alias,dc=example,o=internet', { ...aliasClasses, ...values }));
  assert.deepEqual(
    compiled({ aliasedObjectName: ['DC=Acme, dc=example,o=Internet'], mailDomainStatus: ['inactive'] }),
    { domain: 'alias.example', base: '', aliasOf: 'acme.example' },
  );
  for (const nothing of ['ou=acme,o=internet', 'no dn', 'o=internet']) {
    const row = compiled({ aliasedObjectName: [nothing] });
    assert.equal(row?.aliasOf, '');
    assert.deepEqual(
      row?.problems?.map(({ attribute, value }) => [attribute, value]),
      [['aliasedObjectName', nothing]],
    );
  }
  assert.equal(compiled({})?.aliasOf, '');
  const secondNode = compiled({ inetDomainBaseDN: ['ou=acme,o=internet'] });
  assert.deepEqual(secondNode, { domain: 'alias.example', base: 'ou=acme,o=internet' });
});

test('what names no host, no domain, no address and no size is ignored and named', () => {
  const problemsOf = (row: ReturnType<typeof compileDomain> | ReturnType<typeof compileRecipient>) =>
    row?.problems?.map(({ attribute, value }) => `${attribute}: ${value}`);
  const domain = compileDomain(
    entry('dc=acme,dc=example,o=internet', {
      ...domainClasses,
      inetCanonicalDomainName: ['no domain'],
      mailRoutingHosts: ['a host', 'mail.example:25', '192.0.2.1', '[2001:db8::1]', 'Mail.Example'],
      waypostRoute: ['sideways'],
      mailRoutingSmartHost: ['smart host'],
      mailDomainMsgMaxBlocks: ['many'],
      waypostDisabledText: [' \n'],
    }),
  );
  assert.deepEqual(domain?.routingHosts, ['192.0.2.1', '2001:db8::1', 'mail.example']);
  assert.deepEqual(Object.keys(domain ?? {}), ['domain', 'base', 'routingHosts', 'problems']);
  assert.deepEqual(problemsOf(domain), [
    'inetCanonicalDomainName: no domain',
    'mailRoutingHosts: a host',
    'mailRoutingHosts: mail.example:25',
    'waypostRoute: sideways',
    'mailRoutingSmartHost: smart host',
    'mailDomainMsgMaxBlocks: many',
  ]);
  const wrong = { mailHost: ['_'], mailRoutingAddress: ['nowhere'], mailMsgMaxBlocks: ['-1'] };
  const row = compileRecipient(entry('uid=ann,o=internet', { ...userClasses, ...wrong }), acme);
  assert.deepEqual(problemsOf(row), ['mailHost: _', 'mailRoutingAddress: nowhere', 'mailMsgMaxBlocks: -1']);
  assert.ok(row !== undefined && row.mailHost === undefined && row.routingAddress === undefined);
  const right = { mailHost: ['192.0.2.1'], mailRoutingAddress: ['Ann@Far.Example'], mailMsgMaxBlocks: ['2'] };
  const elsewhere = compileRecipient(entry('uid=ann,o=internet', { ...userClasses, ...right }), acme);
  assert.equal(elsewhere?.problems, undefined);
  assert.deepEqual(
    [elsewhere?.mailHost, elsewhere?.routingAddress, elsewhere?.sizeMax],
    ['192.0.2.1', 'Ann@far.example', 2048],
  );
});

test('only a DC node of the mail class is a mail domain', () => {
  assert.equal(mailDomainOf(entry('dc=example,o=internet', { objectClass: ['domain'] })), undefined);
  assert.equal(mailDomainOf(entry('ou=acme,o=internet', domainClasses)), undefined);
  assert.equal(mailDomainOf(entry('dc=a_b,dc=example,o=internet', domainClasses)), undefined);
  assert.equal(mailDomainOf(entry('o=internet', domainClasses)), undefined);
});

test('what a domain says wrongly is named, and the rest of it stands', () => {
  const row = compileDomain(
    entry('dc=acme,dc=example,o=internet', {
      ...domainClasses,
      mailDomainStatus: ['sleeping'],
      mailDomainCatchallAddress: ['nowhere'],
    }),
  );
  assert.deepEqual(row?.mailDomainStatus, { illegal: 'sleeping' });
  assert.equal(row?.catchall, undefined);
  assert.deepEqual(
    row?.problems?.map(({ attribute, value }) => [attribute, value]),
    [
      ['mailDomainStatus', 'sleeping'],
      ['mailDomainCatchallAddress', 'nowhere'],
    ],
  );
});

test('access rules are compiled, and those that do not parse are named', () => {
  const compiled = (value: string) => [
    compileDomain(
      entry('dc=acme,dc=example,o=internet', { ...domainClasses, mailDomainAllowedServiceAccess: [value] }),
    ),
    compileRecipient(entry('uid=ann,o=internet', { ...userClasses, mailAllowedServiceAccess: [value] }), acme),
  ];
  for (const row of compiled('+imap EXCEPT imaps:*'))
    assert.deepEqual(row?.access, [
      { allows: true, text: '+imap EXCEPT imaps:*', services: [['imap'], ['imaps']], clients: [['']] },
    ]);
  for (const row of compiled('+imap:mail.example')) {
    assert.deepEqual(row?.access, { illegal: '+imap:mail.example' });
    assert.match(row?.problems?.[0]?.attribute ?? '', /^mail(Domain)?AllowedServiceAccess$/);
    assert.match(row?.problems?.[0]?.reason ?? '', /^column 7: an address/);
  }
});

test('rules of expiry that do not parse are named, and nothing else of them stands in a row', () => {
  const rows = [
    compileDomain(entry('dc=acme,dc=example,o=internet', { ...domainClasses, waypostExpire: ['Trash 1d', 'Trash'] })),
    compileRecipient(entry('uid=ann,o=internet', { ...userClasses, waypostExpire: ['Trash 1d', 'Trash'] }), acme),
  ];
  for (const row of rows)
    assert.deepEqual(row?.problems, [
      { attribute: 'waypostExpire', value: 'Trash', reason: 'says nothing that can be done' },
    ]);
});

test('what an account may send in an hour is compiled, and what is no such number is named', () => {
  const compiled = (value: string) => [
    compileDomain(entry('dc=acme,dc=example,o=internet', { ...domainClasses, waypostRecipientsPerHour: [value] })),
    compileRecipient(entry('uid=ann,o=internet', { ...userClasses, waypostRecipientsPerHour: [value] }), acme),
  ];
  for (const row of compiled('0'))
    assert.ok(row !== undefined && 'recipientsPerHour' in row && row.recipientsPerHour === 0);
  for (const row of compiled('-1')) {
    assert.ok(row !== undefined && !('recipientsPerHour' in row));
    assert.equal(row.problems?.[0]?.attribute, 'waypostRecipientsPerHour');
  }
});

test('spaces round an address and a host name mean nothing', () => {
  const groupClasses = { objectClass: ['inetMailGroup', 'inetLocalMailRecipient'] };
  const domain = compileDomain(
    entry('dc=acme,dc=example,o=internet', {
      ...domainClasses,
      mailDomainCatchallAddress: [' ann@acme.example '],
      mailRoutingHosts: [' Mail.Example '],
    }),
  );
  assert.deepEqual([domain?.catchall, domain?.routingHosts], ['ann@acme.example', ['mail.example']]);
  const row = compileRecipient(
    entry('cn=all,dc=acme,dc=example,o=internet', {
      ...groupClasses,
      mail: [' All@acme.example '],
      mailAlternateAddress: ['\ta@acme.example\n', ' "a b"@acme.example'],
      mailEquivalentAddress: ['e@acme.example '],
      mgrpModerator: [' bob@far.example '],
      mailHost: [' Mail.Example'],
    }),
    { domains: ['acme.example'], account: idOf(0) },
  );
  assert.deepEqual(row?.addresses, ['all@acme.example', 'a@acme.example', 'a b@acme.example', 'e@acme.example']);
  assert.deepEqual(row?.kind === 'group' && row.rules, { moderators: [{ address: 'bob@far.example' }] });
  assert.equal(row?.mailHost, 'mail.example');
  assert.equal(row?.problems, undefined);
});

test("a user's addresses are those of its own domains, each once", () => {
  const row = compileRecipient(
    entry('uid=ann,ou=People,dc=acme,dc=example,o=internet', {
      ...userClasses,
      mail: ['Ann@Acme.Example'],
      mailAlternateAddress: ['ann@acme.example', '"a b"@acme.example', 'ann@other.example', 'not an address'],
      mailEquivalentAddress: ['ann@acme.example', 'anna@acme.example'],
      mailHost: ['Mail.Example'],
    }),
    acme,
  );
  assert.deepEqual(row?.addresses, ['ann@acme.example', 'a b@acme.example', 'anna@acme.example']);
  assert.equal(row?.mailHost, 'mail.example');
  assert.equal(row?.kind === 'user' && row.account, 7);
  assert.deepEqual(
    row?.problems?.map(({ value, reason }) => [value, reason]),
    [
      ['ann@other.example', "this entry does not lie below the address's domain"],
      ['not an address', 'is not an address'],
    ],
  );
});

test('delivery options act, miss what they need, or are none', () => {
  const compiled = (options: readonly string[], classes = userClasses) =>
    compileRecipient(entry('uid=ann,o=internet', { ...classes, mailDeliveryOption: options }), acme);
  assert.equal(compiled(['mailbox'])?.unsupported, undefined);
  assert.deepEqual(compiled(['mailbox', 'SHARED'])?.problems, [
    { attribute: 'mailDeliveryOption', value: 'shared', reason: 'needs waypostSharedMailbox' },
  ]);
  assert.deepEqual(compiled(['mailbox', 'hold'])?.options, ['hold']);
  assert.equal(compiled(['autoreply'], groupClasses)?.problems?.length, 1);
  assert.equal(compiled(['members'], groupClasses)?.unsupported, undefined);
  assert.equal(compiled(['mailbox'], groupClasses)?.problems?.length, 1);
  for (const none of ['sideways', '__proto__', 'constructor', 'members', 'native', 'unix']) {
    const row = compiled([none]);
    assert.equal(row?.unsupported, undefined);
    assert.equal(row?.problems?.[0]?.value, none);
  }
});

test('what is not carried out is named, of whatever it is: its mail waits', () => {
  const reason = 'is not carried out: its mail gets 451';
  const mailSieveRuleSource = ['keep;'];
  for (const classes of [userClasses, groupClasses]) {
    const row = compileRecipient(entry('uid=ann,o=internet', { ...classes, mailSieveRuleSource }), acme);
    assert.deepEqual(row?.problems, [{ attribute: 'mailSieveRuleSource', value: '', reason }]);
  }
  const domain = { objectClass: ['domain', 'inetDomain', 'mailDomain'], mailDomainSieveRuleSource: ['keep;'] };
  assert.deepEqual(compileDomain(entry('dc=acme,dc=example,o=internet', domain))?.problems, [
    { attribute: 'mailDomainSieveRuleSource', value: '', reason },
  ]);
});

test('a list has no members in its row; those that mail cannot read are problems of it', () => {
  const row = compileRecipient(
    entry('cn=all,ou=Groups,dc=acme,dc=example,o=internet', {
      ...groupClasses,
      mail: ['all@acme.example'],
      mgrpErrorsTo: ['boss@acme.example'],
      inetMailGroupStatus: ['hold'],
    }),
    {
      ...acme,
      unusable: [
        { id: 1, attribute: 'uniquemember', value: 'x' },
        { id: 2, attribute: 'mgrprfc822mailmember', value: 'nobody' },
      ],
    },
  );
  assert.ok(row?.kind === 'group');
  assert.equal(row.unsupported, undefined);
  assert.deepEqual(row.inetMailGroupStatus, { illegal: 'hold' });
  assert.equal(row.problems?.length, 3);
});

test('an entry without a mail class is nobody to mail', () => {
  assert.equal(
    compileRecipient(entry('uid=x,o=internet', { objectClass: ['person'], mail: ['x@acme.example'] }), acme),
    undefined,
  );
});

test('what an answer in an absence passes over is named', () => {
  const named = (values: Readonly<Record<string, string>>) =>
    compileRecipient(
      entry('uid=ann,o=internet', {
        ...userClasses,
        mailDeliveryOption: ['mailbox', 'autoreply'],
        mailAutoReplyText: ['away'],
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]])),
      }),
      acme,
    )!.problems?.map(({ attribute, reason }) => [attribute, reason]);
  assert.equal(named({ mailAutoReplyMode: 'Echo', mailAutoReplyTimeOut: '1' }), undefined);
  assert.deepEqual(named({ mailAutoReplyMode: 'vacation' }), [
    ['mailAutoReplyMode', 'is none of reply, echo: acts as reply'],
  ]);
  assert.deepEqual(named({ mailAutoReplyTimeOut: '0' }), [['mailAutoReplyTimeOut', 'acts as 1']]);
  const [early, late] = ['20261220000000Z', '20270103000000Z'];
  assert.equal(named({ vacationStartDate: early!, vacationEndDate: late! }), undefined);
  assert.deepEqual(named({ vacationStartDate: late!, vacationEndDate: early! }), [
    ['vacationEndDate', 'lies before vacationStartDate: nobody is answered'],
  ]);
});

test('hosts of a domain beyond those that are tried are named', () => {
  const mailRoutingHosts = Array.from({ length: 12 }, (_, n) => `h${n}.example`);
  const row = compileDomain(entry('dc=acme,dc=example,o=internet', { ...domainClasses, mailRoutingHosts }));
  assert.deepEqual(
    row?.problems?.map(({ value, reason }) => [value, reason]),
    ['h10.example', 'h11.example'].map((host) => [host, 'is one more than 10']),
  );
});
