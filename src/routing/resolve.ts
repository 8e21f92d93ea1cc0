// One address to its targets, with every step that led there. Routing's one function: RCPT, accept, delivery and `waypost route` call it.
//
// In      an address, who asks and by which door the message arrived, the two tables as far as they are loaded, this host's names
// Out     targets and the SMTP reply, or `ask`: the rows that would settle it
// Order   routing table (an alias of a domain: that domain's row) -> names of this host; then, in a domain of ours
//         claimed    alias table, exact, then without a subaddress -> statuses -> size -> access rules of a list ->
//                    mail host, routing address -> delivery option -> members of a list, or its moderators
//         unclaimed  postmaster and abuse -> statuses -> size -> canonical domain -> catch-all -> smart host
//         a domain that is not local: statuses -> size -> its hosts, or those of its MX records; by another name it is the same
// Limits  GROUP_DEPTH_MAX lists in lists; more than LIST_MEMBERS_IN_ACCEPT members are left to the transfer thread, as are those
//         that URLs find; STEPS_AWAY_MAX addresses one behind the other
// Never   reads a database, a clock or the network; parses a local part for a route
// RFC 5321 §3.4, §3.9, §4.5.1, §5.1

import { asciiLower } from '../base/characters.ts';
import { GROUP_DEPTH_MAX, LIST_MEMBERS_IN_ACCEPT } from '../base/limits.ts';
import { isAccepted, isPermanent, isTemporary, type Reply } from '../base/reply.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { LdapUrl } from '../directory/ldap-url.ts';
import type { MemberValue } from '../directory/member-values.ts';
import { type Address, addressKey, formatAddress, tryParseAddress, withoutSubaddress } from '../message/address.ts';
import { unsupportedNames } from './attributes.ts';
import { channelNamed } from './channels.ts';
import type { ChannelRow } from './compile-channel.ts';
import { formatHops, parseDestination } from './destination.ts';
import { type AccessTables, decideAccess } from './list-access.ts';
import { type ListPart, type Member, membersOf, writtenModerators } from './list-members.ts';
import type { ListQuestion, ListTables } from './list-tables.ts';
import { replies } from './replies.ts';
import { type Applied, appliedText, applyRule, type Conditions } from './rewrite/apply.ts';
import { initialProbe, type Probe, probesOf } from './rewrite/probe.ts';
import type { Rule, RuleSet } from './rewrite/rule-set.ts';
import { printTemplate } from './rewrite/template.ts';
import type { RouteRequest } from './route-request.ts';
import {
  addressOfKey,
  type GroupRow,
  type RecipientRow,
  type RouteRow,
  SITE_POSTMASTER,
  type UserRow,
} from './rows.ts';
import type { RoutingSettings } from './settings.ts';
import { decidingStatus, statusMeaning, statusText } from './status.ts';
import {
  holdTarget,
  hopTarget,
  listTarget,
  mailboxTarget,
  meaningInRule,
  pausedTarget,
  ruleTarget,
  type Target,
  targetText,
  withOrigin,
} from './targets.ts';

export type { Door, RouteRequest } from './route-request.ts';
export type { Target } from './targets.ts';

/** Whose mail this is, and where. */
export interface Site {
  /** The directory that addresses are resolved in. */
  readonly tenant: number;
  /** This host: its name, then its former names; lower case. */
  readonly hostnames: readonly string[];
  /** Rewrite rules of the configuration. */
  readonly fileRules?: readonly Rule[];
}

/** The tables as far as the caller has loaded them. `null`: the table has no such row. `undefined`: not loaded. */
export interface RoutingTables extends ListTables {
  route(domain: string): RouteRow | null | undefined;
  /** By addressKey, or SITE_POSTMASTER. */
  alias(key: string): RecipientRow | null | undefined;
  /** By normalized DN. */
  recipient(dn: string): RecipientRow | null | undefined;
  /** Rules, channels and hosts. */
  settings(): RoutingSettings | undefined;
}

export type StepName =
  | 'address'
  | 'routing table'
  | 'domain alias'
  | 'rewrite rule'
  | 'alias table'
  | 'subaddress'
  | 'postmaster'
  | 'catch-all'
  | 'smart host'
  | 'status'
  | 'hold'
  | 'size'
  | 'mail host'
  | 'not supported'
  | 'access rule'
  | 'group'
  | 'member'
  | 'loop'
  | 'delivery option'
  | 'channel'
  | 'reply';

export interface Step {
  readonly step: StepName;
  readonly detail: string;
  /** Of what is said about a list's member: the lists above it. */
  readonly depth?: number;
}

/** A pattern that an address was looked for under. */
export interface ProbeNote {
  readonly pattern: string;
  /** The rule's name; null: there is none. */
  readonly rule: string | null;
  /** Why it fails, or what comes of it. */
  readonly why: string;
}

/** A list's member that gets nothing now, while others may. */
export interface FailedMember {
  readonly recipient: Address;
  readonly reply: Reply;
  /** Its entry's id, where it has one. */
  readonly entry?: number;
}

export interface Resolution {
  readonly address: Address;
  /** Empty unless asked to explain. */
  readonly steps: readonly Step[];
  /** Unique by key. Empty unless the reply is 2xx. */
  readonly targets: readonly Target[];
  readonly reply: Reply;
  /** The domain that it leads to by rewrite rules, as a rule its own, is foreign. */
  readonly relay: boolean;
  /** Its own domain is foreign, and no rule but the built-in one holds for it. */
  readonly isDefaultRoute?: boolean;
  /** What rewrite rules have made of it. */
  readonly rewritten: Address;
  /** Empty unless asked to explain. */
  readonly probes: readonly ProbeNote[];
  /**
   * Members of an accepted list that cannot be reached now. For a temporary one a queue row is made that resolves
   * its recipient again later; for a permanent one a report to the sender.
   */
  readonly failures: readonly FailedMember[];
}

/** Rows that are not loaded. Load them all, then resolve again. */
export interface Ask {
  readonly domains: readonly string[];
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly settings: boolean;
  readonly lists: readonly ListQuestion[];
}

export type ResolveAnswer = { readonly resolution: Resolution } | { readonly ask: Ask };

export interface ResolveOptions {
  /** Keep the steps. */
  readonly explain?: boolean;
  /** Enough to answer RCPT: a list is left at its first target, so `targets` of a list is not complete. */
  readonly verify?: boolean;
  /** As if there were this rewrite rule, too. */
  readonly rule?: Rule | undefined;
  /** Give up when this many rows are missing. Default: find all that are missing at this depth. */
  readonly askMax?: number;
}

/**
 * Pure: reads only `tables`. So an address is never unknown by a cache miss; a table that cannot be read is the
 * caller's failure to load (temporary), never an unknown address.
 * `<postmaster>` is the address with the domain `''`.
 */
export function resolve(
  address: Address,
  request: RouteRequest,
  tables: RoutingTables,
  site: Site,
  options: ResolveOptions = {},
): ResolveAnswer {
  return new Resolving(request, tables, site, options).answer(address);
}

/**
 * Members of a list that is expanded slice by slice, all in one resolution: lists among them are targets that stand for them.
 * `address` is the list's.
 */
export function resolveMembers(
  address: Address,
  members: readonly Member[],
  request: RouteRequest,
  { tables, site }: { readonly tables: RoutingTables; readonly site: Site },
): ResolveAnswer {
  return new Resolving(request, tables, site, {}).answerMembers(address, members);
}

const STEPS_MAX = 2000;
/** Addresses that lead to addresses: catch-alls, routing addresses, lists in lists. More is a mistake, as a circle is. */
const STEPS_AWAY_MAX = 50;

/** What keeps mail from going on: a refusal, or a hold until the row changes that is named. */
interface Stop {
  readonly reply: Reply;
  readonly waitsFor?: string;
}
/** Of a list; the others are counted. */
const MEMBERS_EXPLAINED = 100;

/** Rewrite rules applied one after another. */
const APPLICATIONS_MAX = 25;

/** What a rule leads to; as of an address, undefined: already added, or asked for. */
interface Ruled {
  readonly reply: Reply | undefined;
}

/** Thrown inside only, to leave a walk that has nothing more to find out: the same each time, because a stack costs microseconds. */
const ENOUGH = new Error('enough');

class Resolving {
  readonly #request: RouteRequest;
  readonly #tables: RoutingTables;
  readonly #site: Site;
  readonly #isExplaining: boolean;
  /** Not where a list's first members have been explained. */
  #explain: boolean;
  readonly #verify: boolean;
  readonly #askMax: number;
  readonly #steps: Step[] = [];
  readonly #targets = new Map<string, Target>();
  /** By entry, or address: one that is a member in two ways has failed once. */
  readonly #failures = new Map<number | string, FailedMember>();
  readonly #ask = {
    domains: new Set<string>(),
    addresses: new Set<string>(),
    dns: new Set<string>(),
    settings: false,
    lists: [] as ListQuestion[],
  };
  /** Groups and catch-all substitutions already followed: a loop or a second way to the same. */
  readonly #followed = new Set<string>();
  /** The envelope's address, or the member of a list that is being followed: resolved again, it alone leads there. */
  #origin: Address | undefined;
  readonly #rule: Rule | undefined;
  readonly #probes: ProbeNote[] = [];
  readonly #conditions: Conditions;
  #rewritten: Address | undefined;
  #rulesWith: RuleSet | undefined;
  /** On the way to the address that is looked at now. */
  #applications = 0;
  /** The refusal that says what a rule wants said. */
  #worded: Reply | undefined;
  #isDefaultRoute = false;
  #relay = false;
  #looped = false;
  /** Lists that the walk is in. */
  #listDepth = 0;
  /** Members that are written in these and in those that the walk has left. */
  #members = 0;
  /** The outermost of them. */
  #root: Target | undefined;
  /** It, where it is left to the transfer thread. */
  #left: Target | undefined;
  /** Of lists by their entries. */
  readonly #decided = new Map<number, ListPart | Reply>();
  /** Lists that are met are targets. */
  #areListsLeft = false;

  constructor(request: RouteRequest, tables: RoutingTables, site: Site, options: ResolveOptions) {
    this.#request = request;
    this.#tables = tables;
    this.#site = site;
    this.#isExplaining = options.explain ?? false;
    this.#explain = this.#isExplaining;
    this.#verify = options.verify ?? false;
    this.#askMax = options.askMax ?? Number.POSITIVE_INFINITY;
    this.#rule = options.rule;
    this.#conditions = { door: request.door, hasDomainEntry: (domain) => this.#hasDomainEntry(domain) };
  }

  answer(address: Address): ResolveAnswer {
    this.#origin = address;
    return this.#answer(address, () => this.#address(address, 0));
  }

  answerMembers(address: Address, members: readonly Member[]): ResolveAnswer {
    this.#areListsLeft = true;
    return this.#answer(address, () => {
      for (const member of members) this.#member(member, 1);
      return replies.accepted;
    });
  }

  #answer(address: Address, walk: () => Reply | undefined): ResolveAnswer {
    let own = this.#walked(walk);
    this.#explain = this.#isExplaining;
    const left = this.#left;
    if (left !== undefined && this.#asked() === 0) {
      // What has been found of the list so far will be found again.
      this.#targets.clear();
      this.#failures.clear();
      this.#listDepth = 0;
      own = this.#walked(() => this.#target(left));
    }
    if (this.#asked() > 0) {
      const { domains, addresses, dns, settings, lists } = this.#ask;
      return { ask: { domains: [...domains], addresses: [...addresses], dns: [...dns], settings, lists } };
    }
    const reply = this.#reply(own);
    const accepted = isAccepted(reply);
    if (this.#explain) this.#step('reply', `${reply.code} ${reply.enhanced} ${reply.text}`);
    return {
      resolution: {
        address,
        steps: this.#steps,
        targets: accepted ? [...this.#targets.values()] : [],
        reply,
        relay: this.#relay,
        ...(this.#isDefaultRoute ? { isDefaultRoute: true } : {}),
        rewritten: this.#rewritten ?? address,
        probes: this.#probes,
        failures: accepted ? [...this.#failures.values()] : [],
      },
    };
  }

  #walked(walk: () => Reply | undefined): Reply | undefined {
    try {
      return walk();
    } catch (error) {
      if (error === ENOUGH) return undefined;
      throw error;
    }
  }

  /** A list has no reply of its own: its members make it. */
  #reply(own: Reply | undefined): Reply {
    if (own !== undefined) return own;
    if (this.#targets.size > 0) return replies.accepted;
    const failures = [...this.#failures.values()];
    const failure = failures.find((member) => isTemporary(member.reply)) ?? failures[0];
    return failure?.reply ?? (this.#looped ? replies.loop : replies.emptyGroup);
  }

  /** Undefined: what it leads to has already been added, or is yet to be asked. */
  #address(address: Address, depth: number): Reply | undefined {
    if (address.domain === '') return this.#withoutDomain(address);
    if (this.#explain) this.#step('address', `local part ${address.localPart}, domain ${address.domain}`);
    if (depth > STEPS_AWAY_MAX) {
      if (this.#explain) this.#step('loop', `more than ${STEPS_AWAY_MAX} addresses one behind the other`);
      return replies.loop;
    }
    const initially = this.#initially(address, depth);
    if (initially !== undefined) return initially.reply;
    const route = this.#tables.route(address.domain);
    if (route === undefined) {
      this.#missing(this.#ask.domains, address.domain);
      // What will be asked for next, as a rule.
      const key = addressKey(address);
      if (this.#tables.alias(key) === undefined) this.#missing(this.#ask.addresses, key);
      return undefined;
    }
    if (route === null) return this.#notADomain(address, depth);
    return this.#ofDomain(address, route, depth);
  }

  #ofDomain(address: Address, route: RouteRow, depth: number): Reply | undefined {
    const { domain: pattern, aliasOf } = route;
    if (this.#explain) this.#probes.push({ pattern, rule: 'domain', why: 'a domain entry: the directory decides' });
    return aliasOf === undefined
      ? this.#inDomain(address, route, depth)
      : this.#domainAlias(address, route, aliasOf, depth);
  }

  /** One step: an alias of an alias leads nowhere. */
  #domainAlias(address: Address, { domain }: RouteRow, aliasOf: string, depth: number): Reply | undefined {
    if (this.#explain) this.#step('domain alias', `${domain} is an alias of ${aliasOf === '' ? 'nothing' : aliasOf}`);
    const route = aliasOf === '' ? null : this.#tables.route(aliasOf);
    if (route === undefined) {
      this.#missing(this.#ask.domains, aliasOf);
      return undefined;
    }
    if (route !== null && route.aliasOf === undefined) return this.#inDomain(address, route, depth);
    const why = route === null ? 'is not a mail domain of ours' : 'is an alias itself';
    if (this.#explain && aliasOf !== '') this.#step('domain alias', `${aliasOf} ${why}`);
    return replies.domainAlias;
  }

  /** `route` is that of the address's domain, or of the domain that this is an alias of. */
  #inDomain(address: Address, route: RouteRow, depth: number): Reply | undefined {
    if (this.#explain) this.#step('routing table', `${route.domain} is a mail domain, base ${route.base}`);
    if (!this.#isLocal(route)) return this.#notLocal(address, route);
    const row = this.#claimant(address, route.domain);
    if (row === undefined) return undefined;
    return row === null ? this.#unclaimed(address, route, depth) : this.#recipient(row, route, address, depth);
  }

  #isOurs(host: string): boolean {
    return this.#site.hostnames.includes(host);
  }

  #isLocal({ routingHosts, isMx }: RouteRow): boolean {
    return isMx === undefined && (routingHosts === undefined || routingHosts.some((host) => this.#isOurs(host)));
  }

  /** Nothing is known here of its people: whoever asks, it is their hosts that answer. */
  #notLocal(address: Address, route: RouteRow): Reply {
    const stop = this.#status(route) ?? this.#tooLargeFor(route);
    if (stop !== undefined) return this.#stopped(stop, address);
    const { domain, routingHosts } = route;
    if (routingHosts === undefined || routingHosts.some((host) => this.#isOurs(host))) {
      if (this.#explain) this.#step('mail host', `waypostRoute of ${domain}: by its MX records`);
      return this.#target(hopTarget(address, domain));
    }
    if (this.#explain) this.#step('mail host', `mailRoutingHosts of ${domain}: ${routingHosts.join(', ')}`);
    return this.#target(hopTarget(address, hopsTo(routingHosts)));
  }

  /** The entry that claims this local part in `domain`, null where none does. */
  #claimant(address: Address, domain: string): RecipientRow | null | undefined {
    const row = this.#alias({ localPart: address.localPart, domain });
    const plain = row === null ? withoutSubaddress(address) : undefined;
    if (plain === undefined) return row;
    const owner = this.#alias({ localPart: plain.localPart, domain });
    if (this.#explain && owner) this.#step('subaddress', `${formatAddress(address)} is of ${formatAddress(plain)}`);
    return owner;
  }

  #alias(address: Address): RecipientRow | null | undefined {
    const key = addressKey(address);
    const row = this.#tables.alias(key);
    if (row === undefined) this.#missing(this.#ask.addresses, key);
    return row;
  }

  #withoutDomain(address: Address): Reply | undefined {
    if (this.#explain) this.#step('address', `${formatAddress(address)}, without a domain`);
    return asciiLower(address.localPart) === SITE_POSTMASTER ? this.#sitePostmaster(address) : replies.badAddress;
  }

  #notADomain(address: Address, depth: number): Reply | undefined {
    if (this.#isOurs(address.domain)) {
      if (this.#explain) this.#step('routing table', `${address.domain} is a name of this host, not a mail domain`);
      return isRole(address) ? this.#sitePostmaster(address) : replies.noSuchUser;
    }
    if (this.#explain)
      this.#step(
        'routing table',
        `${address.domain} is not a mail domain of ours${depth === 0 ? ': for those who may relay' : ''}`,
      );
    const rules = this.#rules();
    return rules && this.#ruled(rules, probesOf(address.domain), address, depth)?.reply;
  }

  /** By rules of `$*`, which come before all else; undefined: none of them holds. */
  #initially(address: Address, depth: number): Ruled | undefined {
    const rules = this.#rules();
    return rules === undefined || rules.initial.length === 0
      ? undefined
      : this.#ruled(rules, [initialProbe(address.domain)], address, depth);
  }

  /** Undefined: asked for. */
  #rules(): RuleSet | undefined {
    const settings = this.#tables.settings();
    if (settings === undefined) {
      this.#ask.settings = true;
      if (this.#asked() >= this.#askMax) throw ENOUGH;
      return undefined;
    }
    if (this.#rule === undefined) return settings.rules;
    this.#rulesWith ??= settings.rules.with(this.#rule);
    return this.#rulesWith;
  }

  /** By the first rule that holds; undefined: none does, which cannot be where the built-in one is among them. */
  #ruled(rules: RuleSet, probes: readonly Probe[], address: Address, depth: number): Ruled | undefined {
    for (const probe of probes) {
      const same = rules.at(probe.pattern);
      if (this.#explain && same.length === 0) this.#probes.push({ pattern: probe.pattern, rule: null, why: 'no rule' });
      for (const rule of same) {
        const applied = this.#applied(rule, probe, address);
        if (this.#explain) this.#noteRule(rule, applied);
        if (applied.result === 'failed') continue;
        return { reply: applied.result === 'unknown' ? undefined : this.#leads(rule, applied, depth) };
      }
    }
    return undefined;
  }

  /** Mail for people here needs a domain entry: without one a rule for them fails. */
  #applied(rule: Rule, probe: Probe, address: Address): Applied {
    const applied = applyRule(rule.template, address, probe, this.#conditions);
    if (applied.result !== 'applied' || applied.channel === undefined) return applied;
    const channel = this.#channel(applied.channel);
    if (channel === undefined || meaningInRule(channel) !== 'directory') return applied;
    const { domain } = applied.address;
    const has = this.#hasDomainEntry(domain);
    if (has === undefined) return { result: 'unknown' };
    return has ? applied : { result: 'failed', why: `${domain} has no domain entry` };
  }

  #leads(rule: Rule, applied: Extract<Applied, { result: 'applied' | 'refused' }>, depth: number): Reply | undefined {
    if (applied.result === 'refused') {
      const { text } = applied;
      return this.#say(text === undefined ? replies.refusedByRule : { ...replies.refusedByRule, text });
    }
    if (this.#applications === APPLICATIONS_MAX) {
      if (this.#explain) this.#step('loop', `more than ${APPLICATIONS_MAX} rules one after another`);
      return replies.rewrittenTooOften;
    }
    if (depth === 0) this.#rewritten = applied.address;
    this.#isDefaultRoute = rule.source === 'built-in' && depth === 0 && this.#applications === 0;
    this.#applications++;
    const reply = this.#onward(rule, applied, depth);
    this.#applications--;
    const { text } = applied;
    // The last rule that has words for it has the say.
    const isNowhere = reply !== undefined && isPermanent(reply) && reply !== this.#worded;
    return text !== undefined && isNowhere ? this.#say({ ...reply, text }) : reply;
  }

  #say(reply: Reply): Reply {
    this.#worded = reply;
    return reply;
  }

  /** From the beginning, or by the channel that the rule names. */
  #onward(rule: Rule, applied: Extract<Applied, { result: 'applied' }>, depth: number): Reply | undefined {
    const { address, hop } = applied;
    const channel = applied.channel === undefined ? undefined : this.#channel(applied.channel);
    if (channel === undefined && applied.channel !== undefined) return replies.noChannel;
    const meaning = channel === undefined ? 'anew' : meaningInRule(channel);
    if (channel === undefined || meaning === 'anew') return this.#address(address, depth);
    const { domain } = address;
    const route = this.#tables.route(domain);
    if (route === undefined) {
      this.#missing(this.#ask.domains, domain);
      return undefined;
    }
    // Whom a list or a catch-all names is the choice of the domain's owner, not of the sender.
    if (depth === 0 && route === null) {
      this.#relay = true;
      if (!this.#request.mayRelay) return replies.relayDenied;
    }
    if (meaning === 'directory' && route !== null) return this.#ofDomain(address, route, depth);
    return this.#target(ruleTarget(channel, address, { hop, waitsFor: `rule ${rule.key}` }));
  }

  #hasDomainEntry(domain: string): boolean | undefined {
    const route = this.#tables.route(domain);
    if (route === undefined) this.#missing(this.#ask.domains, domain);
    return route === undefined ? undefined : route !== null;
  }

  #noteRule({ pattern, name, template, source }: Rule, applied: Applied): void {
    if (applied.result === 'unknown') return;
    const why = appliedText(applied);
    this.#probes.push({ pattern, rule: name, why });
    this.#step('rewrite rule', `${pattern} ${printTemplate(template)} (${source === 'entry' ? name : source}): ${why}`);
  }

  #unclaimed(address: Address, route: RouteRow, depth: number): Reply | undefined {
    if (this.#explain) this.#step('alias table', `no entry claims ${formatAddress(address)}`);
    // Accepted whatever the domain's status, so that problems can be reported. RFC 5321 §4.5.1
    if (isRole(address)) return this.#sitePostmaster(address);
    const stop = this.#status(route) ?? this.#tooLargeFor(route);
    if (stop !== undefined && stop.waitsFor === undefined) return stop.reply;
    const canonical = this.#canonical(address, route);
    if (canonical === undefined) return undefined;
    const smartHost = this.#smartHost(route);
    const { catchall } = route;
    // What nobody would take is not held.
    if (canonical === null && catchall === undefined && smartHost === undefined) return replies.noSuchUser;
    if (stop !== undefined) return this.#stopped(stop, address);
    if (canonical !== null)
      return canonical.row === undefined
        ? this.#notLocal(address, canonical.route)
        : this.#recipient(canonical.row, canonical.route, address, depth);
    if (catchall !== undefined) return this.#catchall(route, catchall, depth);
    if (this.#explain) this.#step('smart host', `mailRoutingSmartHost of ${route.domain}: ${smartHost}`);
    return this.#target(hopTarget(address, smartHost!));
  }

  /**
   * Who claims the same local part in the domain that inetCanonicalDomainName names: one step, null where nobody does.
   * Without a row: that domain is not local, and nothing is known here of its people.
   */
  #canonical(address: Address, route: RouteRow): { row?: RecipientRow; route: RouteRow } | null | undefined {
    if (route.canonical === undefined || route.canonical === route.domain) return null;
    const canonical = this.#tables.route(route.canonical);
    if (canonical === undefined) {
      this.#missing(this.#ask.domains, route.canonical);
      return undefined;
    }
    if (canonical === null || canonical.aliasOf !== undefined) return null;
    if (this.#explain) this.#step('domain alias', `inetCanonicalDomainName of ${route.domain}: ${canonical.domain}`);
    if (!this.#isLocal(canonical)) return { route: canonical };
    const row = this.#claimant(address, canonical.domain);
    return row && { row, route: canonical };
  }

  /** One that is this host knows no more of the address than this host does. */
  #smartHost({ smartHost }: RouteRow): string | undefined {
    const destination = smartHost === undefined ? undefined : parseDestination(smartHost);
    const isElsewhere = destination !== undefined && 'hops' in destination;
    return isElsewhere && !destination.hops.every(({ host }) => this.#isOurs(host)) ? smartHost : undefined;
  }

  #catchall(route: RouteRow, catchall: string, depth: number): Reply | undefined {
    if (this.#explain) this.#step('catch-all', `mailDomainCatchallAddress of ${route.domain}: ${catchall}`);
    return this.#follow(`catch-all of ${route.domain}`) ? this.#addressText(catchall, depth + 1) : undefined;
  }

  /** An address that a table holds. */
  #addressText(text: string, depth: number): Reply | undefined {
    const address = tryParseAddress(text);
    return address === undefined ? replies.badAddress : this.#address(address, depth);
  }

  #sitePostmaster(address: Address): Reply | undefined {
    const row = this.#tables.alias(SITE_POSTMASTER);
    if (row === undefined) {
      this.#missing(this.#ask.addresses, SITE_POSTMASTER);
      return undefined;
    }
    if (row === null || row.kind !== 'user') {
      if (this.#explain) this.#step('postmaster', 'this site has no postmaster entry');
      return replies.noSuchUser;
    }
    if (this.#explain) this.#step('postmaster', `site postmaster, ${row.dn}`);
    const { mailHost } = row;
    if (mailHost === undefined || this.#isOurs(mailHost)) return this.#user(row, address);
    // `<postmaster>` is valid at any host, and the address asked for may be one that only this host has. RFC 5321 §4.5.1
    return this.#toMailHost(row, mailHost, address.domain === '' ? address : addressOfKey(SITE_POSTMASTER));
  }

  #recipient(row: RecipientRow, route: RouteRow, address: Address, depth: number): Reply | undefined {
    if (this.#explain) this.#step('alias table', `${formatAddress(address)} is the ${row.kind} ${row.dn}`);
    const stop = this.#status(route, row) ?? this.#tooLargeFor(route, row);
    if (stop !== undefined) return this.#stopped(stop, address);
    const { mailHost, routingAddress } = row;
    const isHere = mailHost === undefined || this.#isOurs(mailHost);
    const unsupported = isHere && routingAddress === undefined ? unsupportedNames(route, row) : [];
    if (unsupported.length > 0) {
      if (this.#explain) this.#step('not supported', unsupported.join(', '));
      return replies.unsupported;
    }
    const part = row.kind === 'group' ? this.#access(row) : 'members';
    if (typeof part !== 'string') return part;
    if (!isHere) return this.#toMailHost(row, mailHost, address);
    if (routingAddress !== undefined) return this.#reroute(row, routingAddress, depth);
    return row.kind === 'user' ? this.#user(row, address) : this.#group(row, part, address, depth);
  }

  #toMailHost({ dn, routingAddress }: RecipientRow, mailHost: string, address: Address): Reply | undefined {
    if (this.#explain) this.#step('mail host', `mailHost of ${dn}: ${mailHost}`);
    const isPeer = this.#isPeer(mailHost);
    if (isPeer === undefined) return undefined;
    if (isPeer && this.#explain)
      this.#step('loop', `the message has come from ${mailHost}, whose directory says otherwise`);
    if (isPeer) return replies.sentBack;
    if (this.#explain && routingAddress !== undefined) this.#step('address', `mailRoutingAddress: ${routingAddress}`);
    const recipient = routingAddress === undefined ? address : tryParseAddress(routingAddress);
    return recipient === undefined ? replies.badAddress : this.#target(hopTarget(recipient, hopsTo([mailHost])));
  }

  /** Whether the message has come from this host, as the host's entry says. */
  #isPeer(host: string): boolean | undefined {
    const { peer } = this.#request;
    if (peer === undefined || peer === host) return peer === host;
    const settings = this.#settings();
    return settings && settings.hosts.get(host)?.addresses.includes(peer) === true;
  }

  #reroute({ dn }: RecipientRow, routingAddress: string, depth: number): Reply | undefined {
    if (this.#explain) this.#step('mail host', `mailRoutingAddress of ${dn}: ${routingAddress}`);
    return this.#follow(`mailRoutingAddress of ${dn}`) ? this.#addressText(routingAddress, depth + 1) : undefined;
  }

  #user(row: UserRow, address: Address): Reply {
    if (this.#explain) this.#step('delivery option', 'mailbox');
    return this.#target(mailboxTarget(address, row.account));
  }

  #target(planned: Target): Reply {
    const channel = this.#channel(planned.channel);
    const refused = this.#overLimit(channel);
    if (refused !== undefined) return refused;
    const waits = planned.destination === '' && channel?.isPaused === true;
    const target = withOrigin(waits ? pausedTarget(planned) : planned, this.#origin!);
    const known = this.#targets.has(target.key);
    if (!known) this.#targets.set(target.key, target);
    if (this.#explain) this.#step('channel', `${targetText(target)}${known ? ': already a target' : ''}`);
    return replies.accepted;
  }

  /** Undefined where the settings are yet to be asked, and for a name that is no channel. */
  #channel(name: string): ChannelRow | undefined {
    const settings = this.#settings();
    return settings && channelNamed(settings, name);
  }

  #overLimit(channel: ChannelRow | undefined): Reply | undefined {
    const { sizeBytes } = this.#request;
    if (channel?.sizeMax === undefined || sizeBytes === undefined || sizeBytes <= channel.sizeMax) return undefined;
    if (this.#explain)
      this.#step('channel', `${channel.key}: blocklimit ${channel.sizeMax}, the message has ${sizeBytes}`);
    return replies.overChannelLimit;
  }

  /** Whom a message to the list goes to; a reply where it goes to nobody. */
  #access(row: GroupRow): ListPart | Reply {
    if (row.rules === undefined) return 'members';
    const known = this.#decided.get(row.entry);
    if (known !== undefined) return known;
    const { to, rule, reply } = decideAccess(row, this.#request, this.#accessTables());
    if (this.#explain) this.#step('access rule', rule);
    const part = to === 'nobody' ? reply! : to === 'list' ? 'members' : 'moderators';
    this.#decided.set(row.entry, part);
    return part;
  }

  #accessTables(): AccessTables {
    const tables = this.#tables;
    const { domains, addresses, dns } = this.#ask;
    const lists = (question: ListQuestion) => () => this.#ask.lists.push(question);
    return {
      route: (domain) => this.#wanted(tables.route(domain), () => domains.add(domain)),
      alias: (key) => this.#wanted(tables.alias(key), () => addresses.add(key)),
      recipient: (dn) => this.#wanted(tables.recipient(dn), () => dns.add(dn)),
      listsWith: (member) => this.#wanted(tables.listsWith(member), lists({ ask: 'listsWith', member })),
      dynamicListsOver: (dn) => this.#wanted(tables.dynamicListsOver(dn), lists({ ask: 'dynamicListsOver', dn })),
      matches: (dn, url) => this.#wanted(tables.matches(dn, url), lists({ ask: 'matches', dn, url })),
    };
  }

  /** Nothing more can be found out before this is known. */
  #wanted<T>(value: T | undefined, ask: () => void): T {
    if (value !== undefined) return value;
    ask();
    throw ENOUGH;
  }

  #group(row: GroupRow, part: ListPart, address: Address, depth: number): Reply | undefined {
    const target = listTarget(address, row, part);
    if (this.#areListsLeft) return this.#target(target);
    if (!this.#follow(row.dn)) return undefined;
    if (this.#listDepth >= GROUP_DEPTH_MAX) {
      if (this.#explain) this.#step('group', `lists are nested deeper than ${GROUP_DEPTH_MAX}`);
      return replies.listTooLarge;
    }
    if (this.#listDepth === 0) this.#root = target;
    if (part === 'moderators') this.#moderators(row, depth);
    else if (this.#verify) this.#verifyMembers(row, depth);
    else this.#listMembers(row, depth);
    return undefined;
  }

  #moderators({ dn, rules }: GroupRow, depth: number): void {
    const { moderators = [] } = rules!;
    if (this.#explain) this.#step('group', `${dn} has ${moderators.length} moderators`);
    if (moderators.some((moderator) => 'url' in moderator)) this.#leave('a URL says who moderates');
    const written = writtenModerators(moderators);
    this.#count(written.length);
    this.#walk(written, depth);
    if (this.#explain && written.length > MEMBERS_EXPLAINED) this.#explainRest(written.length);
  }

  #listMembers(row: GroupRow, depth: number): void {
    const count = this.#wanted(this.#tables.memberCount(row.entry), () =>
      this.#ask.lists.push({ ask: 'memberCount', list: row.entry }),
    );
    if (this.#explain) this.#step('group', `${row.dn} has ${count} members${urlsText(row.urls)}`);
    if (row.urls !== undefined) this.#leave('URLs say who is a member');
    this.#count(count);
    const limit = this.#left === undefined ? LIST_MEMBERS_IN_ACCEPT : MEMBERS_EXPLAINED;
    this.#walk(membersOf(this.#page(row, 0, limit)), depth);
    if (this.#explain && count > MEMBERS_EXPLAINED) this.#explainRest(count);
  }

  /** In pages that grow: as a rule the first member is reached, and the others are not read. */
  #verifyMembers(row: GroupRow, depth: number): void {
    if (row.urls !== undefined) this.#leave('');
    let after = 0;
    for (let limit = 1; ; limit = Math.min(4 * limit, LIST_MEMBERS_IN_ACCEPT)) {
      const values = this.#page(row, after, limit);
      this.#count(values.length);
      this.#walk(membersOf(values), depth);
      if (values.length < limit) return;
      after = values.at(-1)!.id;
    }
  }

  #page({ entry: list }: GroupRow, after: number, limit: number): readonly MemberValue[] {
    const ask = () => this.#ask.lists.push({ ask: 'members', list, after, limit });
    return this.#wanted(this.#tables.members(list, after, limit), ask);
  }

  #walk(members: readonly Member[], depth: number): void {
    const wasExplaining = this.#explain;
    this.#listDepth++;
    for (const [index, member] of members.entries()) {
      if (index === MEMBERS_EXPLAINED) this.#explain = false;
      // What is left to the transfer thread is walked only to be shown.
      if (this.#left !== undefined && !this.#explain) break;
      this.#member(member, depth + 1);
      if (this.#verify && this.#targets.size > 0) throw ENOUGH;
      if (this.#left !== undefined && this.#steps.length >= STEPS_MAX) throw ENOUGH;
    }
    this.#explain = wasExplaining;
    this.#listDepth--;
  }

  #explainRest(count: number): void {
    this.#step('group', `and ${count - MEMBERS_EXPLAINED} more members`);
  }

  /** Too many are not looked at while somebody waits for the reply. */
  #count(members: number): void {
    this.#members += members;
    if (this.#members > LIST_MEMBERS_IN_ACCEPT) this.#leave(`more than ${LIST_MEMBERS_IN_ACCEPT} members`);
  }

  #leave(why: string): void {
    if (this.#left === undefined && this.#explain) this.#step('group', `${why}: expanded once the message is accepted`);
    this.#left ??= this.#root;
    if (!this.#isExplaining) throw ENOUGH;
  }

  #member(member: Member, depth: number): void {
    if ('dn' in member) this.#memberEntry(member.dn, depth);
    else this.#memberAddress(member.address, depth);
  }

  #memberAddress(text: string, depth: number): void {
    if (this.#explain) this.#step('member', text);
    // A text that is no address does not hold up the other members.
    const address = tryParseAddress(text) ?? { localPart: text, domain: '' };
    this.#origin = address;
    const reply = this.#address(address, depth);
    const entry = this.#tables.alias(addressKey(address))?.entry;
    this.#failed(entry === undefined ? { recipient: address } : { recipient: address, entry }, reply);
  }

  #memberEntry(dn: string, depth: number): void {
    const row = this.#tables.recipient(dn);
    if (row === undefined) {
      this.#missing(this.#ask.dns, dn);
      return;
    }
    const key = row?.addresses[0];
    if (this.#explain) this.#step('member', key === undefined ? `${dn}: no mail entry that routes, left out` : dn);
    if (row === null || key === undefined) return;
    const address = addressOfKey(key);
    const route = this.#tables.route(address.domain);
    if (route === undefined) this.#missing(this.#ask.domains, address.domain);
    if (route === undefined || route === null) return;
    const isLocal = route.aliasOf === undefined && this.#isLocal(route);
    this.#origin = address;
    const reply = isLocal ? this.#recipient(row, route, address, depth) : this.#address(address, depth);
    this.#failed({ recipient: address, entry: row.entry }, reply);
  }

  #failed(member: Omit<FailedMember, 'reply'>, reply: Reply | undefined): void {
    if (reply === undefined || isAccepted(reply)) return;
    this.#failures.set(member.entry ?? addressKey(member.recipient), { ...member, reply });
  }

  /** False when it has been followed before. */
  #follow(what: string): boolean {
    if (!this.#followed.has(what)) {
      this.#followed.add(what);
      return true;
    }
    this.#looped = true;
    if (this.#explain) this.#step('loop', `${what} has been followed already`);
    return false;
  }

  /** The first status that is not active. */
  #status(route: RouteRow, row?: RecipientRow): Stop | undefined {
    const deciding = decidingStatus(route, row, (meaning) => meaning.reply !== undefined);
    if (this.#explain) this.#step('status', deciding === undefined ? 'active' : statusText(...deciding));
    if (deciding === undefined) return undefined;
    const [attribute, status] = deciding;
    const reply = statusMeaning(status).reply!;
    const isOfDomain = attribute === 'inetDomainStatus' || attribute === 'mailDomainStatus';
    if (status === 'hold')
      return { reply, waitsFor: isOfDomain ? `route ${route.domain}` : `entry ${normalizeDn(row!.dn)}` };
    const own = attribute === 'inetMailGroupStatus' ? (row as GroupRow).disabledText : undefined;
    const text = status === 'disabled' ? (own ?? route.disabledText) : undefined;
    return { reply: text === undefined ? reply : { ...reply, text } };
  }

  #tooLargeFor(route: RouteRow, row?: RecipientRow): Stop | undefined {
    const { sizeBytes } = this.#request;
    if (sizeBytes === undefined) return undefined;
    const max = Math.min(route.sizeMax ?? Number.POSITIVE_INFINITY, row?.sizeMax ?? Number.POSITIVE_INFINITY);
    if (sizeBytes <= max) return undefined;
    if (this.#explain) this.#step('size', `${sizeBytes} octets, the limit is ${max}`);
    return { reply: replies.tooLarge };
  }

  #stopped({ reply, waitsFor }: Stop, address: Address): Reply {
    if (waitsFor === undefined) return reply;
    if (this.#explain) this.#step('hold', `until a change of ${waitsFor}`);
    return this.#target(holdTarget(address, waitsFor));
  }

  #missing(set: Set<string>, key: string): void {
    set.add(key);
    if (this.#asked() >= this.#askMax) throw ENOUGH;
  }

  #settings(): RoutingSettings | undefined {
    const settings = this.#tables.settings();
    if (settings !== undefined) return settings;
    this.#ask.settings = true;
    if (this.#asked() >= this.#askMax) throw ENOUGH;
    return undefined;
  }

  #asked(): number {
    const { domains, addresses, dns, settings, lists } = this.#ask;
    return domains.size + addresses.size + dns.size + (settings ? 1 : 0) + lists.length;
  }

  #step(step: StepName, detail: string): void {
    if (this.#steps.length >= STEPS_MAX && step !== 'reply' && this.#listDepth > 0) return;
    this.#steps.push(this.#listDepth === 0 ? { step, detail } : { step, detail, depth: this.#listDepth });
  }
}

/** Local parts that must be read in every domain. RFC 5321 §4.5.1, RFC 2142 §2 */
function isRole(address: Address): boolean {
  const name = asciiLower(address.localPart);
  return name === SITE_POSTMASTER || name === 'abuse';
}

/** As a destination (destination.ts). */
function hopsTo(hosts: readonly string[]): string {
  return formatHops(hosts.map((host) => ({ host, port: undefined })));
}

function urlsText(urls: readonly LdapUrl[] = []): string {
  return urls.map(({ base, scope, filter }) => `, and who matches ldap:///${base}??${scope}?${filter}`).join('');
}
