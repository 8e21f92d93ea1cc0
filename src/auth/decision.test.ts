// May it log in: against a naive judge, and what the answer names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccessService, parseAccessRules } from '../directory/access-rules.ts';
import { admissionOf } from '../routing/admission.ts';
import type { Access, RouteRow, Status, UserRow } from '../routing/rows.ts';
import { type DecisionClient, decide, decideAny, ElsewhereFailure, loginRefusal } from './decision.ts';
import { STATUS_ADMITS } from './testing.ts';

const client: DecisionClient = { service: 'imap', isImplicit: false, peer: '192.0.2.1', isPrivate: true };

function rulesOf(value: string): Access {
  const parsed = parseAccessRules(value);
  return 'rules' in parsed ? parsed.rules : { illegal: value };
}

interface Said {
  readonly inetDomainStatus?: Status;
  readonly mailDomainStatus?: Status;
  readonly inetUserStatus?: Status;
  readonly mailUserStatus?: Status;
  readonly domain?: string;
  readonly user?: string;
}

function admission(said: Said) {
  const { inetDomainStatus, mailDomainStatus, inetUserStatus, mailUserStatus, domain, user } = said;
  const access = (value: string | undefined) => (value === undefined ? {} : { access: rulesOf(value) });
  const route = { inetDomainStatus, mailDomainStatus, ...access(domain) } as RouteRow;
  return admissionOf(route, { kind: 'user', inetUserStatus, mailUserStatus, ...access(user) } as UserRow);
}

test('the answer names what decided', () => {
  const cases: readonly [said: Said, result: string, by: string][] = [
    [{}, 'ok', 'no access rules'],
    [{ mailUserStatus: 'overquota' }, 'ok', 'no access rules'],
    [{ user: '+imap:*' }, 'ok', 'mailAllowedServiceAccess: +imap:*'],
    [{ domain: '-pop:*' }, 'ok', 'mailDomainAllowedServiceAccess: no rule of -pop:*'],
    [{ domain: '+imap:*', user: '-imap:*' }, 'access', 'mailAllowedServiceAccess: -imap:*'],
    [{ domain: '-imap:*', user: '+imap:*' }, 'access', 'mailDomainAllowedServiceAccess: -imap:*'],
    [{ user: '+pop:*$+smtp:*' }, 'access', 'mailAllowedServiceAccess: no rule of +pop:*$+smtp:*'],
    [{ user: '+x:*' }, 'error', 'mailAllowedServiceAccess: +x:* (does not parse)'],
    [{ mailDomainStatus: 'hold', user: '-imap:*' }, 'status', 'mailDomainStatus: hold'],
    [{ inetUserStatus: 'deleted', mailUserStatus: 'disabled' }, 'status', 'inetUserStatus: deleted'],
  ];
  for (const [said, result, by] of cases) assert.deepEqual(decide(admission(said), client), { result, by });
  assert.equal(decide(admission({}), { ...client, isPrivate: false }).result, 'not-private');
});

test('a mailbox at another host keeps out of where mail is read, and of nothing else', () => {
  const host = 'mail2.example';
  const moved = (said: Said) => ({ ...admission(said), elsewhere: host });
  for (const service of ['imap', 'pop'] as const)
    assert.deepEqual(decide(moved({}), { ...client, service }), { result: 'elsewhere', by: `mailHost: ${host}`, host });
  for (const service of ['smtp', 'ldap', 'http'] as const)
    assert.equal(decide(moved({}), { ...client, service }).result, 'ok');
  assert.equal(decide(moved({ user: '-imap:*' }), client).result, 'access', 'where it is is said to nobody else');
  const refusal = loginRefusal(decide(moved({}), client), 'ann@acme.example');
  assert.ok(refusal instanceof ElsewhereFailure);
  assert.deepEqual(
    [refusal.host, refusal.label, refusal.message],
    [host, 'ann@acme.example', `your mailbox is at ${host}`],
  );
});

test('where there are several domains, one that admits is enough', () => {
  const shut = admission({ domain: '-imap:*' });
  assert.equal(decideAny([shut, admission({})], client).result, 'ok');
  assert.equal(
    decideAny([shut, admission({ mailDomainStatus: 'hold' })], client).by,
    'mailDomainAllowedServiceAccess: -imap:*',
  );
});

/** Who a value admits, as somebody reads it: service and client, each in a set. */
interface Rules {
  readonly value: string;
  readonly admits: (client: DecisionClient) => boolean | 'unreadable';
}
const isHome = (peer: string): boolean => peer.startsWith('192.0.2.');
const RULES: readonly Rules[] = [
  { value: '-imap:*', admits: ({ service }) => service !== 'imap' },
  {
    value: '+imap,smtp:192.0.2.0/24$+pop:ALL',
    admits: ({ service, peer }) => service === 'pop' || (['imap', 'smtp'].includes(service) && isHome(peer)),
  },
  { value: '-*:* EXCEPT 192.0.2.0/24', admits: ({ peer }) => isHome(peer) },
  {
    value: '+ALL EXCEPT ldap:*$-ldap:* EXCEPT 192.0.2.0/24',
    admits: ({ service, peer }) => service !== 'ldap' || isHome(peer),
  },
  { value: '+imaps,pops,smtps,ldaps:*', admits: ({ service, isImplicit }) => isImplicit && service !== 'http' },
  { value: 'nonsense', admits: () => 'unreadable' },
];

test('it decides as a naive judge does', () => {
  const status = fc.option(fc.constantFrom(...(Object.keys(STATUS_ADMITS) as Status[]), { illegal: 'x' }), {
    nil: undefined,
    freq: 2,
  });
  const rules = fc.option(fc.constantFrom(...RULES), { nil: undefined });
  const asked = fc.record({
    service: fc.constantFrom<AccessService>('imap', 'pop', 'smtp', 'http', 'ldap'),
    isImplicit: fc.boolean(),
    peer: fc.constantFrom('192.0.2.1', '198.51.100.7', '2001:db8::1', ''),
    isPrivate: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.tuple(status, status, status, status), rules, rules, asked, (statuses, domain, user, who) => {
      const [inetDomainStatus, mailDomainStatus, inetUserStatus, mailUserStatus] = statuses as (Status & string)[];
      const said = {
        ...{ inetDomainStatus, mailDomainStatus, inetUserStatus, mailUserStatus },
        ...(domain && { domain: domain.value }),
        ...(user && { user: user.value }),
      } as Said;
      let expected = 'ok';
      for (const each of [user, domain]) {
        const verdict = each?.admits(who) ?? true;
        if (verdict !== true) expected = verdict === false ? 'access' : 'error';
      }
      if (statuses.some((each) => each !== undefined && STATUS_ADMITS[String(each)] !== true)) expected = 'status';
      if (!who.isPrivate) expected = 'not-private';
      assert.equal(decide(admission(said), who).result, expected);
    }),
    { numRuns: 3000 },
  );
});
