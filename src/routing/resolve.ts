// One address to its targets, with every step that led there. Routing's one function: RCPT, accept, delivery and `waypost route` call it.
//
// In      an address, who asks and by which door the message arrived, the two tables as far as they are loaded, this host's names
// Out     targets and the SMTP reply, or `ask`: the rows that would settle it
// Order   address -> routing table -> alias table -> (postmaster | catch-all) -> status -> group members -> channel
// Limits  GROUP_DEPTH_MAX lists in lists, GROUP_MEMBERS_MAX targets
// Never   reads a database, a clock or the network; parses a local part for a route
// RFC 5321 §3.4, §3.9, §4.5.1

import { asciiLower } from '../base/characters.ts';
import { GROUP_DEPTH_MAX, GROUP_MEMBERS_MAX } from '../base/limits.ts';
import { isAccepted, isTemporary, type Reply } from '../base/reply.ts';
import { type Address, addressKey, formatAddress, tryParseAddress } from '../message/address.ts';
import { unsupportedNames } from './attributes.ts';
import { replies } from './replies.ts';
import type { RouteRequest } from './route-request.ts';
import {
  addressOfKey,
  type GroupRow,
  type RecipientRow,
  type RouteRow,
  SITE_POSTMASTER,
  type UserRow,
} from './rows.ts';
import { decidingStatus, statusMeaning, statusText } from './status.ts';
import { hostTarget, mailboxTarget, type Target, targetText } from './targets.ts';

export type { Door, RouteRequest } from './route-request.ts';
export type { Target } from './targets.ts';

/** Whose mail this is, and where. */
export interface Site {
  /** The directory that addresses are resolved in. */
  readonly tenant: number;
  /** This host: its name, then its former names; lower case. */
  readonly hostnames: readonly string[];
}

/** The tables as far as the caller has loaded them. `null`: the table has no such row. `undefined`: not loaded. */
export interface RoutingTables {
  route(domain: string): RouteRow | null | undefined;
  /** By addressKey, or SITE_POSTMASTER. */
  alias(key: string): RecipientRow | null | undefined;
  /** By normalized DN. */
  recipient(dn: string): RecipientRow | null | undefined;
}

export type StepName =
  | 'address'
  | 'routing table'
  | 'alias table'
  | 'postmaster'
  | 'catch-all'
  | 'status'
  | 'not supported'
  | 'group'
  | 'member'
  | 'loop'
  | 'delivery option'
  | 'channel'
  | 'reply';

export interface Step {
  readonly step: StepName;
  readonly detail: string;
}

/** A list's member that gets nothing now, while others may. */
export interface FailedMember {
  readonly recipient: Address;
  readonly reply: Reply;
}

export interface Resolution {
  readonly address: Address;
  /** Empty unless asked to explain. */
  readonly steps: readonly Step[];
  /** Unique by key. Empty unless the reply is 2xx. */
  readonly targets: readonly Target[];
  readonly reply: Reply;
  /** The address's own domain is foreign. */
  readonly relay: boolean;
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
}

type Answer = { readonly resolution: Resolution } | { readonly ask: Ask };

export interface ResolveOptions {
  /** Keep the steps. */
  readonly explain?: boolean;
  /** Enough to answer RCPT: a list is left at its first target, so `targets` of a list is not complete. */
  readonly verify?: boolean;
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
): Answer {
  return new Resolving(request, tables, site, options).answer(address);
}

const STEPS_MAX = 2000;

/** Thrown inside only, to leave a walk that has nothing more to find out. */
class Enough extends Error {}

class Resolving {
  readonly #request: RouteRequest;
  readonly #tables: RoutingTables;
  readonly #site: Site;
  readonly #explain: boolean;
  readonly #verify: boolean;
  readonly #askMax: number;
  readonly #steps: Step[] = [];
  readonly #targets = new Map<string, Target>();
  readonly #failures: FailedMember[] = [];
  readonly #ask = { domains: new Set<string>(), addresses: new Set<string>(), dns: new Set<string>() };
  /** Groups and catch-all substitutions already followed: a loop or a second way to the same. */
  readonly #followed = new Set<string>();
  #relay = false;
  #looped = false;
  #tooLarge = false;

  constructor(request: RouteRequest, tables: RoutingTables, site: Site, options: ResolveOptions) {
    this.#request = request;
    this.#tables = tables;
    this.#site = site;
    this.#explain = options.explain ?? false;
    this.#verify = options.verify ?? false;
    this.#askMax = options.askMax ?? Number.POSITIVE_INFINITY;
  }

  answer(address: Address): Answer {
    let own: Reply | undefined;
    try {
      own = this.#address(address, 0);
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    if (this.#asked() > 0) {
      const { domains, addresses, dns } = this.#ask;
      return { ask: { domains: [...domains], addresses: [...addresses], dns: [...dns] } };
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
        failures: accepted ? this.#failures : [],
      },
    };
  }

  /** A list has no reply of its own: its members make it. */
  #reply(own: Reply | undefined): Reply {
    if (this.#tooLarge) return replies.groupTooLarge;
    if (own !== undefined) return own;
    if (this.#targets.size > 0) return replies.accepted;
    const failure = this.#failures.find((member) => isTemporary(member.reply)) ?? this.#failures[0];
    return failure?.reply ?? (this.#looped ? replies.loop : replies.emptyGroup);
  }

  /** Undefined: what it leads to has already been added, or is yet to be asked. */
  #address(address: Address, depth: number): Reply | undefined {
    if (address.domain === '') return this.#withoutDomain(address);
    if (this.#explain) this.#step('address', `local part ${address.localPart}, domain ${address.domain}`);
    const key = addressKey(address);
    const route = this.#tables.route(address.domain);
    if (route === undefined) this.#missing(this.#ask.domains, address.domain);
    if (route === null) return this.#notADomain(address, depth);
    const row = this.#tables.alias(key);
    if (row === undefined) this.#missing(this.#ask.addresses, key);
    if (route === undefined || row === undefined) return undefined;
    if (this.#explain) this.#step('routing table', `${route.domain} is a mail domain, base ${route.base}`);
    return row === null ? this.#unclaimed(address, route, depth) : this.#recipient(row, route, key, address, depth);
  }

  #withoutDomain(address: Address): Reply | undefined {
    if (this.#explain) this.#step('address', `${formatAddress(address)}, without a domain`);
    return asciiLower(address.localPart) === SITE_POSTMASTER ? this.#sitePostmaster(address) : replies.badAddress;
  }

  #notADomain(address: Address, depth: number): Reply | undefined {
    if (this.#site.hostnames.includes(address.domain)) {
      if (this.#explain) this.#step('routing table', `${address.domain} is a name of this host, not a mail domain`);
      return isRole(address) ? this.#sitePostmaster(address) : replies.noSuchUser;
    }
    if (this.#explain)
      this.#step(
        'routing table',
        `${address.domain} is not a mail domain of ours${depth === 0 ? ': for those who may relay' : ''}`,
      );
    if (depth === 0) this.#relay = true;
    // Whom a list or a catch-all names is the choice of the domain's owner, not of the sender.
    if (depth === 0 && !this.#request.mayRelay) return replies.relayDenied;
    return this.#target(hostTarget(address));
  }

  #unclaimed(address: Address, route: RouteRow, depth: number): Reply | undefined {
    if (this.#explain) this.#step('alias table', `no entry claims ${formatAddress(address)}`);
    // Accepted whatever the domain's status, so that problems can be reported. RFC 5321 §4.5.1
    if (isRole(address)) return this.#sitePostmaster(address);
    const refused = this.#status(route) ?? this.#unsupported(route);
    if (refused !== undefined) return refused;
    if (route.catchall !== undefined) return this.#catchall(route, route.catchall, depth);
    if (route.unsupportedForUnclaimed === undefined) return replies.noSuchUser;
    if (this.#explain) this.#step('not supported', route.unsupportedForUnclaimed.join(', '));
    return replies.unsupported;
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
    return this.#user(row, address);
  }

  #recipient(row: RecipientRow, route: RouteRow, key: string, address: Address, depth: number): Reply | undefined {
    if (this.#explain) this.#step('alias table', `${formatAddress(address)} is the ${row.kind} ${row.dn}`);
    const refused = this.#status(route, row) ?? this.#unsupported(route, row, key);
    if (refused !== undefined) return refused;
    return row.kind === 'user' ? this.#user(row, address) : this.#group(row, depth);
  }

  #user(row: UserRow, address: Address): Reply {
    if (this.#explain) this.#step('delivery option', 'mailbox');
    return this.#target(mailboxTarget(address, row.account));
  }

  #target(target: Target): Reply {
    const known = this.#targets.has(target.key);
    if (!known) this.#targets.set(target.key, target);
    if (this.#explain) this.#step('channel', `${targetText(target)}${known ? ': already a target' : ''}`);
    return replies.accepted;
  }

  #group(row: GroupRow, depth: number): undefined {
    const members = row.members ?? [];
    const addressMembers = row.addressMembers ?? [];
    if (this.#explain) this.#step('group', `${row.dn} has ${members.length + addressMembers.length} members`);
    if (!this.#follow(row.dn)) return;
    if (depth >= GROUP_DEPTH_MAX) return this.#leaveTooLarge(`lists are nested deeper than ${GROUP_DEPTH_MAX}`);
    for (const dn of members) {
      this.#member(dn, depth + 1);
      this.#checkEnough();
    }
    for (const text of addressMembers) {
      if (this.#explain) this.#step('member', text);
      // The compiler lets no other text in; whatever it is, it does not hold up the other members.
      const address = tryParseAddress(text) ?? { localPart: text, domain: '' };
      this.#failed(address, this.#address(address, depth + 1));
      this.#checkEnough();
    }
  }

  #member(dn: string, depth: number): void {
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
    this.#failed(address, this.#recipient(row, route, key, address, depth));
  }

  #failed(recipient: Address, reply: Reply | undefined): void {
    if (reply !== undefined && !isAccepted(reply)) this.#failures.push({ recipient, reply });
  }

  #checkEnough(): void {
    if (this.#targets.size > GROUP_MEMBERS_MAX) this.#leaveTooLarge(`more than ${GROUP_MEMBERS_MAX} targets`);
    if (this.#verify && this.#targets.size > 0) throw new Enough();
  }

  #leaveTooLarge(why: string): never {
    if (this.#explain) this.#step('group', why);
    this.#tooLarge = true;
    throw new Enough();
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

  #status(route: RouteRow, row?: RecipientRow): Reply | undefined {
    const deciding = decidingStatus(route, row, (meaning) => meaning.reply !== undefined);
    if (this.#explain) this.#step('status', deciding === undefined ? 'active' : statusText(...deciding));
    return deciding === undefined ? undefined : statusMeaning(deciding[1]).reply;
  }

  #unsupported(route: RouteRow, row?: RecipientRow, key?: string): Reply | undefined {
    const names = unsupportedNames(route, row, key, this.#site.hostnames);
    if (names.length === 0) return undefined;
    if (this.#explain) this.#step('not supported', names.join(', '));
    return replies.unsupported;
  }

  #missing(set: Set<string>, key: string): void {
    set.add(key);
    if (this.#asked() >= this.#askMax) throw new Enough();
  }

  #asked(): number {
    return this.#ask.domains.size + this.#ask.addresses.size + this.#ask.dns.size;
  }

  #step(step: StepName, detail: string): void {
    if (this.#steps.length < STEPS_MAX || step === 'reply') this.#steps.push({ step, detail });
  }
}

/** Local parts that must be read in every domain. RFC 5321 §4.5.1, RFC 2142 §2 */
function isRole(address: Address): boolean {
  const name = asciiLower(address.localPart);
  return name === SITE_POSTMASTER || name === 'abuse';
}
