// May an account be let in that has proved who it is: from its statuses, its access rules and its domain's, and where the
// client is. A pure function: every door asks it at each login, and each session that stays open at each command.
//
// In      what the directory says of the account (routing/admission.ts); the service and the client
// Out     yes, or what keeps it out; in both cases with the status or rule that decided, as a person would look for it
// Order   private? -> statuses -> the domain's rules -> the user's -> is the mailbox here? the first that does not admit decides
// `error` is neither: rules that do not parse, from before they were checked

import { Failure } from '../base/failure.ts';
import { type AccessQuestion, type AccessService, judgeAccess } from '../directory/access-rules.ts';
import type { Admission, Admissions } from '../routing/admission.ts';
import type { Access } from '../routing/rows.ts';
import type { LoginClient, LoginDoor } from './login-client.ts';

export interface DecisionClient extends AccessQuestion {
  readonly isPrivate: boolean;
}

const SERVICES: Readonly<Record<LoginDoor, AccessService>> = {
  smtp: 'smtp',
  imap: 'imap',
  pop3: 'pop',
  ldap: 'ldap',
  http: 'http',
};

/** The others are of the directory, which is whole on every host, or take mail, which any host sends on. */
const OF_MAILBOXES: readonly AccessService[] = ['imap', 'pop'];

/** The client as the rules see it. */
function decisionClient({ door, record }: LoginClient): DecisionClient {
  const { peerAddress, isPrivate, tls } = record;
  // Whoever ends it: TLS that ended at a trusted proxy was there from the client's first byte.
  return { service: SERVICES[door], isImplicit: tls?.isImplicit ?? false, peer: peerAddress, isPrivate };
}

export interface Decision {
  readonly result: 'ok' | 'not-private' | 'status' | 'access' | 'elsewhere' | 'error';
  /** `mailUserStatus: inactive`, `mailAllowedServiceAccess: -imap:*`, `mailHost: mail2.example`. */
  readonly by: string;
  /** With `elsewhere`: the host that has the mailbox. */
  readonly host?: string;
}

/** A right login to a mailbox that another host has. */
export class ElsewhereFailure extends Failure {
  readonly host: string;
  /** The account, as people call it. */
  readonly label: string;
  constructor(host: string, label: string) {
    super('denied', `your mailbox is at ${host}`);
    this.host = host;
    this.label = label;
  }
}

export function decide(admission: Admission, client: DecisionClient): Decision {
  if (!client.isPrivate) return { result: 'not-private', by: 'the connection is not private' };
  if (admission.refusedBy !== undefined) return { result: 'status', by: admission.refusedBy };
  const domain = judge('mailDomainAllowedServiceAccess', admission.domainRules, client);
  if (domain !== undefined && domain.result !== 'ok') return domain;
  const user = judge('mailAllowedServiceAccess', admission.userRules, client);
  if (user !== undefined && user.result !== 'ok') return user;
  const { elsewhere: host } = admission;
  if (host !== undefined && OF_MAILBOXES.includes(client.service))
    return { result: 'elsewhere', by: `mailHost: ${host}`, host };
  return user ?? domain ?? { result: 'ok', by: 'no access rules' };
}

/** Where a service is used through another's door, both have to admit; the one that does not decides. */
export function decideLogin(admissions: Admissions, client: LoginClient): Decision {
  const decision = decideAny(admissions, decisionClient(client));
  if (decision.result !== 'ok' || client.service === undefined) return decision;
  return decideAny(admissions, decisionClient({ ...client, door: client.service }));
}

/** Where several domains share the base of an entry without an address, one that admits is enough. */
export function decideAny(admissions: Admissions, client: DecisionClient): Decision {
  const decisions = admissions.map((admission) => decide(admission, client));
  return decisions.find(({ result }) => result === 'ok') ?? decisions[0]!;
}

/** What the login of the account with this label gets that is not let in; undefined for one that is. */
export function loginRefusal({ result, by, host = '' }: Decision, label: string): Failure | undefined {
  switch (result) {
    case 'ok':
      return undefined;
    case 'not-private':
      return new Failure('not-private', 'Encryption is required to log in');
    case 'status':
      return new Failure('denied', 'This account may not log in');
    case 'access':
      return new Failure('denied', 'This account may not log in here');
    case 'elsewhere':
      return new ElsewhereFailure(host, label);
    case 'error':
      return new Failure('unavailable', 'The access rules of this account cannot be read', { detail: by });
    default:
      return result satisfies never;
  }
}

/** Undefined where there are no rules. */
function judge(attribute: string, rules: Access | undefined, client: DecisionClient): Decision | undefined {
  if (rules === undefined) return undefined;
  if ('illegal' in rules) return { result: 'error', by: `${attribute}: ${rules.illegal} (does not parse)` };
  const { admits, rule } = judgeAccess(rules, client);
  const by = rule?.text ?? `no rule of ${rules.map(({ text }) => text).join('$')}`;
  return { result: admits ? 'ok' : 'access', by: `${attribute}: ${by}` };
}
