// One address to its targets, with every step that led there. Routing's one function: RCPT, accept, delivery and `waypost route` call it.
//
// In      an address, who asks and by which door the message arrived, the two tables as far as they are loaded, this host's names
// Out     targets and the SMTP reply, or `ask`: the rows that would settle it
// Order   routing table (an alias of a domain: that domain's row) -> names of this host; then, in a domain of ours
//         claimed    alias table, exact, then without a subaddress -> statuses -> size -> mail host, routing address
//                    -> delivery option -> members of a list
//         unclaimed  postmaster and abuse -> statuses -> size -> canonical domain -> catch-all -> smart host
//         a domain that is not local: statuses -> size -> its hosts, or those of its MX records
// Limits  GROUP_DEPTH_MAX lists in lists, GROUP_MEMBERS_MAX targets, STEPS_AWAY_MAX addresses one behind the other
// Never   reads a database, a clock or the network; parses a local part for a route
// RFC 5321 §3.4, §3.9, §4.5.1, §5.1

import { asciiLower } from '../base/characters.ts';
import { GROUP_DEPTH_MAX, GROUP_MEMBERS_MAX } from '../base/limits.ts';
import { isAccepted, isTemporary, type Reply } from '../base/reply.ts';
import { normalizeDn } from '../directory/dn.ts';
import { type Address, addressKey, formatAddress, tryParseAddress, withoutSubaddress } from '../message/address.ts';
import { unsupportedNames } from './attributes.ts';
import { channelNamed } from './channels.ts';
import type { ChannelRow } from './compile-channel.ts';
import { formatHops, parseDestination } from './destination.ts';
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
import type { RoutingSettings } from './settings.ts';
import { decidingStatus, statusMeaning, statusText } from './status.ts';
import {
  holdTarget,
  hopTarget,
  hostTarget,
  mailboxTarget,
  pausedTarget,
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
}

/** The tables as far as the caller has loaded them. `null`: the table has no such row. `undefined`: not loaded. */
export interface RoutingTables {
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
  readonly settings: boolean;
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
/** Addresses that lead to addresses: catch-alls, routing addresses, lists in lists. More is a mistake, as a circle is. */
const STEPS_AWAY_MAX = 50;

/** What keeps mail from going on: a refusal, or a hold until the row changes that is named. */
interface Stop {
  readonly reply: Reply;
  readonly waitsFor?: string;
}

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
  readonly #ask = { domains: new Set<string>(), addresses: new Set<string>(), dns: new Set<string>(), settings: false };
  /** Groups and catch-all substitutions already followed: a loop or a second way to the same. */
  readonly #followed = new Set<string>();
  /** The envelope's address, or the member of a list that is being followed: resolved again, it alone leads there. */
  #origin: Address | undefined;
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
    this.#origin = address;
    let own: Reply | undefined;
    try {
      own = this.#address(address, 0);
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    if (this.#asked() > 0) {
      const { domains, addresses, dns, settings } = this.#ask;
      return { ask: { domains: [...domains], addresses: [...addresses], dns: [...dns], settings } };
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
    if (depth > STEPS_AWAY_MAX) {
      if (this.#explain) this.#step('loop', `more than ${STEPS_AWAY_MAX} addresses one behind the other`);
      return replies.loop;
    }
    const route = this.#tables.route(address.domain);
    if (route === undefined) {
      this.#missing(this.#ask.domains, address.domain);
      // What will be asked for next, as a rule.
      const key = addressKey(address);
      if (this.#tables.alias(key) === undefined) this.#missing(this.#ask.addresses, key);
      return undefined;
    }
    if (route === null) return this.#notADomain(address, depth);
    return route.aliasOf === undefined
      ? this.#inDomain(address, route, depth)
      : this.#domainAlias(address, route, route.aliasOf, depth);
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
      return this.#target(hostTarget(address));
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
    if (depth === 0) this.#relay = true;
    // Whom a list or a catch-all names is the choice of the domain's owner, not of the sender.
    if (depth === 0 && !this.#request.mayRelay) return replies.relayDenied;
    return this.#target(hostTarget(address));
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
    if (canonical !== null) return this.#recipient(canonical.row, canonical.route, address, depth);
    if (catchall !== undefined) return this.#catchall(route, catchall, depth);
    if (this.#explain) this.#step('smart host', `mailRoutingSmartHost of ${route.domain}: ${smartHost}`);
    return this.#target(hopTarget(address, smartHost!));
  }

  /** Who claims the same local part in the domain that inetCanonicalDomainName names: one step, null where nobody does. */
  #canonical(address: Address, route: RouteRow): { row: RecipientRow; route: RouteRow } | null | undefined {
    if (route.canonical === undefined || route.canonical === route.domain) return null;
    const canonical = this.#tables.route(route.canonical);
    if (canonical === undefined) {
      this.#missing(this.#ask.domains, route.canonical);
      return undefined;
    }
    if (canonical === null || canonical.aliasOf !== undefined) return null;
    if (this.#explain) this.#step('domain alias', `inetCanonicalDomainName of ${route.domain}: ${canonical.domain}`);
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
    return this.#user(row, address);
  }

  #recipient(row: RecipientRow, route: RouteRow, address: Address, depth: number): Reply | undefined {
    if (this.#explain) this.#step('alias table', `${formatAddress(address)} is the ${row.kind} ${row.dn}`);
    const stop = this.#status(route, row) ?? this.#tooLargeFor(route, row);
    if (stop !== undefined) return this.#stopped(stop, address);
    const { mailHost, routingAddress } = row;
    if (mailHost !== undefined && !this.#isOurs(mailHost)) return this.#toMailHost(row, mailHost, address);
    if (routingAddress !== undefined) return this.#reroute(row, routingAddress, depth);
    const unsupported = unsupportedNames(route, row);
    if (unsupported.length > 0) {
      if (this.#explain) this.#step('not supported', unsupported.join(', '));
      return replies.unsupported;
    }
    return row.kind === 'user' ? this.#user(row, address) : this.#group(row, depth);
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
    const settings = this.#tables.settings();
    if (settings !== undefined) return channelNamed(settings, name);
    this.#ask.settings = true;
    if (this.#asked() >= this.#askMax) throw new Enough();
    return undefined;
  }

  #overLimit(channel: ChannelRow | undefined): Reply | undefined {
    const { sizeBytes } = this.#request;
    if (channel?.sizeMax === undefined || sizeBytes === undefined || sizeBytes <= channel.sizeMax) return undefined;
    if (this.#explain)
      this.#step('channel', `${channel.key}: blocklimit ${channel.sizeMax}, the message has ${sizeBytes}`);
    return replies.overChannelLimit;
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
      this.#origin = address;
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
    const isLocal = route.aliasOf === undefined && this.#isLocal(route);
    this.#origin = address;
    this.#failed(address, isLocal ? this.#recipient(row, route, address, depth) : this.#address(address, depth));
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
    if (this.#asked() >= this.#askMax) throw new Enough();
  }

  #settings(): RoutingSettings | undefined {
    const settings = this.#tables.settings();
    if (settings !== undefined) return settings;
    this.#ask.settings = true;
    if (this.#asked() >= this.#askMax) throw new Enough();
    return undefined;
  }

  #asked(): number {
    const { domains, addresses, dns, settings } = this.#ask;
    return domains.size + addresses.size + dns.size + (settings ? 1 : 0);
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

/** As a destination (destination.ts). */
function hopsTo(hosts: readonly string[]): string {
  return formatHops(hosts.map((host) => ({ host, port: undefined })));
}
