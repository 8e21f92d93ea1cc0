// May this sender send to this list: the rules of its entry, in the order of the lineage.
//
// In      a list's row, the request, and what the tables say of the sender and of those whom the rules name
// Out     the message goes to the list, to its moderators, or is refused; and the rule that decided. Where another directory may
//         have the say: what it is asked for, which is the sender, and whom rules name only as lists that the sender is in
// Order   moderators skip all -> mgrpBroadcasterPolicy -> mgrpAllowedBroadcaster matches: domain rules are skipped ->
//         mgrpAllowedDomain -> mgrpDisallowedDomain -> mgrpAllowedBroadcaster -> mgrpDisallowedBroadcaster -> size.
//         All must hold; with the token OR one of the two allowed kinds is enough
// Who     the address of MAIL FROM and the entry that claims it; where the list wants a login, the login's entry and its
//         primary address. `<>` is nobody
// Limits  SENDER_LISTS_MAX lists that a sender is in, GROUP_DEPTH_MAX lists in lists: beyond the first nothing is decided
// Never   looks at a member list from above: the lists that the sender is in are walked upward, so that one of 100,000
//         members costs no more than a small one

import { GROUP_DEPTH_MAX } from '../base/limits.ts';
import type { Reply } from '../base/reply.ts';
import { aboveOf } from '../directory/access/domains.ts';
import { normalizeDn } from '../directory/dn.ts';
import { type LdapUrl, liesIn } from '../directory/ldap-url.ts';
import type { ListParty } from '../directory/list-party.ts';
import type { AuthorityQuestion, GroupPlaces } from '../directory/source/authority.ts';
import { type Address, addressKey, formatAddress } from '../message/address.ts';
import { replies } from './replies.ts';
import type { RouteRequest } from './route-request.ts';
import { addressOfKey, type GroupRow, type ListRules, type RecipientRow, type RouteRow } from './rows.ts';

/** What a decision may ask; each question is one look-up, or few. */
export interface AccessTables {
  route(domain: string): RouteRow | null;
  alias(key: string): RecipientRow | null;
  /** By normalized DN. */
  recipient(dn: string): RecipientRow | null;
  /** At most SENDER_LISTS_MAX + 1 lists that name this normalized DN or address key as a member. */
  listsWith(member: string): readonly GroupRow[];
  /** At most SENDER_LISTS_MAX + 1 lists of which a URL looks where the entry of this normalized DN lies. */
  dynamicListsOver(dn: string): readonly GroupRow[];
  /** Whether the entry of this normalized DN matches the URL's filter. */
  matches(dn: string, url: LdapUrl): boolean;
  /** Others may have the say about who is whom, and who is in which lists. */
  readonly asksOthers: boolean;
}

export interface AccessDecision {
  readonly to: 'list' | 'moderators' | 'nobody';
  /** For people: the rule that decided. */
  readonly rule: string;
  /** Of `nobody`. */
  readonly reply?: Reply;
  /** Where others may have a say: what it rests on. */
  readonly rests?: {
    readonly questions: readonly AuthorityQuestion[];
    /** False: where they are silent it is not decided, whatever it would be. */
    readonly isSure: boolean;
  };
}

/** A rule is asked about more lists than anybody is in: then it is not decided. */
export const SENDER_LISTS_MAX = 1000;
/** Of the filters that are asked to decide about one recipient: RCPT waits for them, and whoever else has its thread. */
const FILTERS_LENGTH_MAX = 256 * 1024;

export function decideAccess(row: GroupRow, request: RouteRequest, tables: AccessTables): AccessDecision {
  const { rules } = row;
  if (rules === undefined) return { to: 'list', rule: 'everybody may send' };
  const deciding = new Deciding(rules, request, tables);
  const decision = decisionOf(deciding);
  const { questions, isSure } = deciding;
  return questions.length === 0 ? decision : { ...decision, rests: { questions, isSure } };
}

function decisionOf(deciding: Deciding): AccessDecision {
  try {
    return deciding.decide();
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    return { to: 'nobody', rule: error.message, reply: replies.accessUndecided };
  }
}

class Undecided extends Error {}

type Named = 'allowedBroadcasters' | 'disallowedBroadcasters' | 'moderators';

class Deciding {
  readonly #rules: ListRules;
  readonly #request: RouteRequest;
  readonly #tables: AccessTables;
  readonly #sender: Sender;
  /** Characters of filters that were asked. */
  #filters = 0;
  /** What others are to be asked. */
  readonly questions: AuthorityQuestion[] = [];
  /** What is not known here could only let the sender send. */
  isSure = true;

  constructor(rules: ListRules, request: RouteRequest, tables: AccessTables) {
    this.#rules = rules;
    this.#request = request;
    this.#tables = tables;
    this.#sender =
      rules.authenticated === true ? senderOfLogin(request, tables) : senderOfAddress(request.sender, tables);
    this.questions.push(...this.#sender.asked);
  }

  decide(): AccessDecision {
    const { moderators, toModerator } = this.#rules;
    const moderator = this.#party('moderators');
    if (moderator !== undefined) return { to: 'list', rule: `mgrpModerator: ${partyText(moderator)}` };
    const refusal = this.#refusal();
    if (refusal === undefined)
      return moderators === undefined
        ? { to: 'list', rule: `none refuses ${this.#sender.text}` }
        : { to: 'moderators', rule: 'mgrpModerator: all but the moderators' };
    if (toModerator === true) return { to: 'moderators', rule: `${refusal.rule}; mgrpMsgRejectAction: toModerator` };
    const { reply, rule } = refusal;
    const text = this.#rules.rejectText;
    return { to: 'nobody', rule, reply: text === undefined ? reply : { ...reply, text } };
  }

  #refusal(): { readonly rule: string; readonly reply: Reply } | undefined {
    const rules = this.#rules;
    const { text, domain } = this.#sender;
    const refused = (rule: string) => ({ rule, reply: replies.mayNotSend });
    if (rules.authenticated === true && !isAuthenticated(this.#request))
      return refused('mgrpBroadcasterPolicy: no login');
    const allowed = this.#party('allowedBroadcasters');
    let isOfAllowedDomain = false;
    if (allowed === undefined) {
      const allowedDomain = domainOf(domain, rules.allowedDomains);
      isOfAllowedDomain = allowedDomain !== undefined;
      // With OR the other kind is there to allow it, and has not.
      if (rules.allowedDomains !== undefined && !isOfAllowedDomain)
        return refused(`mgrpAllowedDomain: none matches ${text}`);
      const disallowedDomain = domainOf(domain, rules.disallowedDomains);
      if (disallowedDomain !== undefined) return refused(`mgrpDisallowedDomain: ${disallowedDomain}`);
    }
    const isEnough = rules.either === true && isOfAllowedDomain;
    if (rules.allowedBroadcasters !== undefined && allowed === undefined && !isEnough)
      return refused(`mgrpAllowedBroadcaster: none means ${text}`);
    const disallowed = this.#party('disallowedBroadcasters');
    if (disallowed !== undefined) return refused(`mgrpDisallowedBroadcaster: ${partyText(disallowed)}`);
    const { sizeBytes = 0 } = this.#request;
    return rules.sizeMax !== undefined && sizeBytes > rules.sizeMax
      ? { rule: `mgrpMsgMaxSize: ${rules.sizeMax}`, reply: replies.tooLargeForList }
      : undefined;
  }

  /** The first of them that means the sender. */
  #party(kind: Named): ListParty | undefined {
    if (this.#sender.keys.length === 0) return undefined;
    return this.#rules[kind]?.find((party) => this.#means(party, kind));
  }

  #means(party: ListParty, kind: Named): boolean {
    const { dn, keys } = this.#sender;
    if ('url' in party) return this.#isMatch(party.url);
    if ('dn' in party && party.dn === dn) return true;
    if ('address' in party && keys.includes(party.address)) return true;
    const row = 'dn' in party ? this.#tables.recipient(party.dn) : claimant(party.address, this.#tables);
    if (row === null && this.#tables.asksOthers) {
      // It may be a list elsewhere that the sender is in.
      this.#staticLists();
      if (kind === 'disallowedBroadcasters') this.isSure = false;
    }
    return row?.kind === 'group' ? this.#isIn(row) : row !== null && isEntry(row, dn);
  }

  /** An entry that is not the sender's own is not looked at. */
  #isMatch(url: LdapUrl): boolean {
    const { dn } = this.#sender;
    if (dn === undefined || !liesIn(url, dn)) return false;
    this.#filters += url.filter.length;
    if (this.#filters > FILTERS_LENGTH_MAX)
      throw new Undecided(`the filters of its URLs have more than ${FILTERS_LENGTH_MAX} characters`);
    return this.#tables.matches(dn, url);
  }

  /** A list means its members, those of lists in it, and who matches its URLs; and itself. */
  #isIn(list: GroupRow): boolean {
    if (isEntry(list, this.#sender.dn) || this.#staticLists().has(list.entry)) return true;
    return list.urls?.some((url) => this.#isMatch(url)) === true || this.#dynamicLists().has(list.entry);
  }

  #static: ReadonlySet<number> | undefined;
  #dynamic: ReadonlySet<number> | undefined;

  #staticLists(): ReadonlySet<number> {
    this.#static ??= this.#above(this.#sender.keys);
    return this.#static;
  }

  /** Of which the sender is a member because a URL finds it, and those that these are in. */
  #dynamicLists(): ReadonlySet<number> {
    if (this.#dynamic === undefined) {
      const { dn } = this.#sender;
      const found = dn === undefined ? [] : bounded(this.#tables.dynamicListsOver(dn));
      const matching = found.filter(({ urls }) => urls?.some((url) => this.#isMatch(url)));
      const above = this.#above(matching.flatMap(keysOf), 1);
      this.#dynamic = above.union(new Set(matching.map(({ entry }) => entry)));
    }
    return this.#dynamic;
  }

  /** The lists that name one of these, and those that name such a list, level by level. */
  #above(members: readonly string[], from = 0): ReadonlySet<number> {
    const found = new Set<number>();
    let level = members;
    for (let depth = from; depth < GROUP_DEPTH_MAX && level.length > 0; depth++) {
      if (this.#tables.asksOthers) this.questions.push({ groupsOf: level, at: this.#places() });
      const next: string[] = [];
      for (const member of level) {
        for (const list of bounded(this.#tables.listsWith(member))) {
          if (found.has(list.entry)) continue;
          found.add(list.entry);
          next.push(...keysOf(list));
        }
        if (found.size > SENDER_LISTS_MAX) throw tooMany();
      }
      level = next;
    }
    return found;
  }

  /** Where the lists may be that rules name, and those that the sender is in. */
  #places(): GroupPlaces {
    const { allowedBroadcasters = [], disallowedBroadcasters = [], moderators = [] } = this.#rules;
    const { dn } = this.#sender;
    const dns = new Set(dn === undefined ? [] : [dn]);
    const domains = new Set<string>();
    for (const party of [...moderators, ...allowedBroadcasters, ...disallowedBroadcasters]) {
      if ('address' in party) domains.add(addressOfKey(party.address).domain);
      // Many stand beside each other.
      else if ('dn' in party) dns.add(aboveOf(party.dn) ?? party.dn);
    }
    return { dns: [...dns], domains: [...domains] };
  }
}

interface Sender {
  /** Normalized; undefined where no entry stands behind it. */
  readonly dn: string | undefined;
  /** What a list may name to have it as a member: its DN, its addresses. Empty: nobody. */
  readonly keys: readonly string[];
  readonly domain: string | undefined;
  /** For people. */
  readonly text: string;
  /** As others are asked for it. */
  readonly asked: readonly AuthorityQuestion[];
}

const NOBODY: Sender = { dn: undefined, keys: [], domain: undefined, text: '<>', asked: [] };

function senderOfAddress(address: Address | undefined, tables: AccessTables): Sender {
  if (address === undefined) return NOBODY;
  const key = addressKey(address);
  const row = claimant(key, tables);
  const { domain } = address;
  const asked = tables.asksOthers ? claimed(key, tables).map((each) => ({ address: each })) : [];
  const known = { domain, text: formatAddress(address), asked };
  return row === null
    ? { dn: undefined, keys: [key], ...known }
    : { dn: normalizeDn(row.dn), keys: [...new Set([key, ...keysOf(row)])], ...known };
}

/** The entry that mail to this address finds, by its domain's other names too. */
function claimant(key: string, tables: AccessTables): RecipientRow | null {
  const row = tables.alias(key);
  if (row !== null) return row;
  const [, other] = claimed(key, tables);
  return other === undefined ? null : tables.alias(other);
}

/** The address, and the one in the domain that its own is another name of. */
function claimed(key: string, tables: AccessTables): readonly string[] {
  const { localPart, domain } = addressOfKey(key);
  const aliasOf = tables.route(domain)?.aliasOf;
  return aliasOf === undefined ? [key] : [key, `${localPart}@${aliasOf}`];
}

function isAuthenticated({ caller }: RouteRequest): boolean {
  return caller.kind === 'entry' || caller.kind === 'administrator';
}

function senderOfLogin({ caller }: RouteRequest, tables: AccessTables): Sender {
  if (caller.kind !== 'entry' && caller.kind !== 'administrator') return NOBODY;
  const dn = normalizeDn(caller.dn);
  const row = tables.recipient(dn);
  const primary = row?.addresses[0];
  const domain = primary === undefined ? undefined : addressOfKey(primary).domain;
  return {
    dn,
    keys: [dn, ...(row?.addresses ?? [])],
    domain,
    text: caller.dn,
    asked: tables.asksOthers ? [{ dn }] : [],
  };
}

function keysOf(row: RecipientRow): string[] {
  return [normalizeDn(row.dn), ...row.addresses];
}

function isEntry(row: RecipientRow, dn: string | undefined): boolean {
  return dn !== undefined && normalizeDn(row.dn) === dn;
}

function bounded(lists: readonly GroupRow[]): readonly GroupRow[] {
  if (lists.length > SENDER_LISTS_MAX) throw tooMany();
  return lists;
}

function tooMany(): Undecided {
  return new Undecided(`the sender is in more than ${SENDER_LISTS_MAX} lists`);
}

function partyText(party: ListParty): string {
  if ('dn' in party) return party.dn;
  if ('address' in party) return party.written ?? party.address;
  const { base, scope, filter } = party.url;
  return `ldap:///${base}??${scope}?${filter}`;
}

/** The first pattern that the domain matches. */
function domainOf(domain: string | undefined, patterns: readonly string[] = []): string | undefined {
  return domain === undefined ? undefined : patterns.find((pattern) => isMatching(domain, pattern));
}

/** `*` is any text. A star takes as little as it can and is the only one that is taken back, so the time is bounded. */
function isMatching(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let from = 0;
  for (let here = 0; here < text.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      from = here;
    } else if (at < pattern.length && pattern[at] === text[here]) {
      at++;
      here++;
    } else if (star >= 0) {
      at = star + 1;
      here = ++from;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
