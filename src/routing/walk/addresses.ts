// The part of a walk that goes from an address to the row that decides over it: its domain's, an entry's, or rewrite rules.
//
// In      an address, and how many lie behind it
// Out     the reply of what it leads to; undefined: already added, or asked for
// Order   rules of `$*` -> routing table, where an alias of a domain is one step -> names of this host -> rules.
//         In a domain of ours, unless it is one without mail: addresses that are signed; who claims the local part, exactly or without a subaddress; then
//         postmaster and abuse, the canonical domain, the catch-all, the smart host
// Limits  STEPS_AWAY_MAX addresses one behind the other
// RFC 5321 §3.9, §4.5.1

import { asciiLower } from '../../base/characters.ts';
import type { Reply } from '../../base/reply.ts';
import type { AuthorityQuestion } from '../../directory/source/authority.ts';
import { type Address, addressKey, formatAddress, tryParseAddress, withoutSubaddress } from '../../message/address.ts';
import { hopsTo, parseDestination } from '../destination.ts';
import { replies } from '../replies.ts';
import { type RecipientRow, type RouteRow, SITE_POSTMASTER } from '../rows.ts';
import { hopTarget, verdictTarget } from '../targets.ts';
import { isSrs, mayBeToken, type TokenMeaning } from '../tokens.ts';
import type { ByRules } from './by-rules.ts';
import type { Recipients } from './recipients.ts';
import { stopOf, stopped } from './stop.ts';
import type { Walk } from './walk.ts';

/** Catch-alls, routing addresses, lists in lists. More is a mistake, as a circle is. */
const STEPS_AWAY_MAX = 50;

export class Addresses {
  readonly #walk: Walk;
  readonly #rules: ByRules;
  readonly #recipients: Recipients;

  constructor(walk: Walk, rules: ByRules, recipients: Recipients) {
    this.#walk = walk;
    this.#rules = rules;
    this.#recipients = recipients;
  }

  /** Undefined: what it leads to has already been added, or is yet to be asked. */
  address(address: Address, depth: number): Reply | undefined {
    if (address.domain === '') return this.#withoutDomain(address, depth);
    if (this.#walk.explain) this.#walk.step('address', `local part ${address.localPart}, domain ${address.domain}`);
    if (depth > STEPS_AWAY_MAX) {
      if (this.#walk.explain) this.#walk.step('loop', `more than ${STEPS_AWAY_MAX} addresses one behind the other`);
      return replies.loop;
    }
    const initially = this.#rules.initially(address, depth);
    if (initially !== undefined) return initially.reply;
    const route = this.#walk.route(address.domain);
    if (route === undefined) {
      // What will be asked for next, as a rule.
      this.#alias(address);
      return undefined;
    }
    if (route === null)
      // Mail to the world is no refusal: it goes on while nobody can be asked.
      return this.#walk.consult([{ address: addressKey(address) }], true, null, () => this.#notADomain(address, depth));
    return this.ofDomain(address, route, depth);
  }

  /** An address that a row holds. */
  addressText(text: string, depth: number): Reply | undefined {
    const address = tryParseAddress(text);
    return address === undefined ? replies.badAddress : this.address(address, depth);
  }

  #withoutDomain(address: Address, depth: number): Reply | undefined {
    if (this.#walk.explain) this.#walk.step('address', `${formatAddress(address)}, without a domain`);
    return asciiLower(address.localPart) === SITE_POSTMASTER
      ? this.#recipients.sitePostmaster(address, depth)
      : replies.badAddress;
  }

  #notADomain(address: Address, depth: number): Reply | undefined {
    if (this.#walk.isOurs(address.domain)) {
      if (this.#walk.explain)
        this.#walk.step('routing table', `${address.domain} is a name of this host, not a mail domain`);
      if (isRole(address)) return this.#recipients.sitePostmaster(address, depth);
      // As which the site postmaster sends mail on.
      const meaning = mayBeToken(address.localPart) ? this.#walk.tokenMeaning(address) : undefined;
      return meaning === undefined ? replies.noSuchUser : this.#signed(address, meaning, depth);
    }
    if (this.#walk.explain)
      this.#walk.step(
        'routing table',
        `${address.domain} is not a mail domain of ours${depth === 0 ? ': for those who may relay' : ''}`,
      );
    return this.#rules.elsewhere(address, depth);
  }

  /** `route` is the row of the address's own domain. */
  ofDomain(address: Address, route: RouteRow, depth: number): Reply | undefined {
    const { domain: pattern, aliasOf } = route;
    const closed = this.#walk.closed(pattern, address);
    if (closed !== undefined) return closed;
    if (this.#walk.explain)
      this.#rules.probes.push({ pattern, rule: 'domain', why: 'a domain entry: the directory decides' });
    return aliasOf === undefined
      ? this.#inDomain(address, route, depth)
      : this.#domainAlias(address, route, aliasOf, depth);
  }

  /** One step: an alias of an alias leads nowhere. */
  #domainAlias(address: Address, { domain }: RouteRow, aliasOf: string, depth: number): Reply | undefined {
    if (this.#walk.explain)
      this.#walk.step('domain alias', `${domain} is an alias of ${aliasOf === '' ? 'nothing' : aliasOf}`);
    const route = aliasOf === '' ? null : this.#walk.route(aliasOf);
    if (route === undefined) return undefined;
    if (route !== null && route.aliasOf === undefined) return this.#inDomain(address, route, depth);
    const why = route === null ? 'is not a mail domain of ours' : 'is an alias itself';
    if (this.#walk.explain && aliasOf !== '') this.#walk.step('domain alias', `${aliasOf} ${why}`);
    return replies.domainAlias;
  }

  /** `route` is that of the address's domain, or of the domain that this is an alias of. */
  #inDomain(address: Address, route: RouteRow, depth: number): Reply | undefined {
    if (route.isWithoutMail === true) {
      if (this.#walk.explain) this.#walk.step('routing table', `${route.domain} is a domain without mail`);
      return replies.noMailHere;
    }
    if (this.#walk.explain) this.#walk.step('routing table', `${route.domain} is a mail domain, base ${route.base}`);
    if (route.isComing === true) return this.#coming(route);
    if (route.isUnlisted === true) return this.#unlisted(route);
    if (!this.#walk.isLocal(route)) return this.#notLocal(address, route);
    const meaning = mayBeToken(address.localPart) ? this.#walk.tokenMeaning(address) : undefined;
    if (meaning !== undefined && !this.#isOfTheOther(address, meaning, route))
      return this.#signed(address, meaning, depth);
    const row = this.#claimant(address, route.domain);
    if (row === undefined) return undefined;
    if (row === null && isRole(address)) return this.#unclaimed(address, route, depth);
    const isKnown = row !== null && row.isByName !== true;
    return this.#walk.consult(questionsOf(address, route), isKnown, route, () =>
      row === null ? this.#unclaimed(address, route, depth) : this.#recipients.recipient(row, route, address, depth),
    );
  }

  /** Its record cannot be seen yet: nobody's mail is taken, whoever in it is meant. */
  #coming({ domain }: RouteRow): Reply {
    if (this.#walk.explain)
      this.#walk.step('arrival', `a message has brought ${domain}, its record has not been observed yet`);
    return replies.domainIsComing;
  }

  #unlisted({ domain, source }: RouteRow): Reply {
    if (this.#walk.explain) this.#walk.step('source', `the source ${source} does not list ${domain} any more`);
    return replies.unlisted;
  }

  /** What this host has not signed, the host has that has the domain's other addresses: it sends on for its own people. */
  #isOfTheOther({ localPart }: Address, { kind }: TokenMeaning, route: RouteRow): boolean {
    return kind === 'refused' && isSrs(localPart) && this.#smartHost(route) !== undefined;
  }

  #signed(address: Address, meaning: TokenMeaning, depth: number): Reply | undefined {
    if (meaning.kind === 'refused') {
      if (this.#walk.explain) this.#walk.step('signed address', 'not signed here, too old, or not for this sender');
      return replies.notSigned;
    }
    if (meaning.kind === 'verdict') {
      const { row, verb, moderator } = meaning;
      if (this.#walk.explain) this.#walk.step('signed address', `${moderator}: ${verb} queue row ${row}`);
      return this.#walk.target(verdictTarget(address, { row, verb, moderator }));
    }
    if (this.#walk.explain) this.#walk.step('signed address', `stands for ${formatAddress(meaning.address)}`);
    return this.address(meaning.address, depth + 1);
  }

  /** Nothing is known here of its people: whoever asks, it is their hosts that answer. */
  #notLocal(address: Address, route: RouteRow): Reply {
    const stop = stopOf(this.#walk, route);
    if (stop !== undefined) return stopped(this.#walk, stop, address);
    const { domain, routingHosts } = route;
    if (routingHosts === undefined || routingHosts.some((host) => this.#walk.isOurs(host))) {
      if (this.#walk.explain) this.#walk.step('mail host', `waypostRoute of ${domain}: by its MX records`);
      return this.#walk.target(hopTarget(address, domain));
    }
    if (this.#walk.explain) this.#walk.step('mail host', `mailRoutingHosts of ${domain}: ${routingHosts.join(', ')}`);
    return this.#walk.target(hopTarget(address, hopsTo(routingHosts)));
  }

  /** The entry that claims this local part in `domain`, null where none does. */
  #claimant(address: Address, domain: string): RecipientRow | null | undefined {
    const row = this.#alias({ localPart: address.localPart, domain });
    const plain = row === null ? withoutSubaddress(address) : undefined;
    if (plain === undefined) return row;
    const owner = this.#alias({ localPart: plain.localPart, domain });
    if (this.#walk.explain && owner)
      this.#walk.step('subaddress', `${formatAddress(address)} is of ${formatAddress(plain)}`);
    return owner;
  }

  #alias(address: Address): RecipientRow | null | undefined {
    return this.#walk.alias(addressKey(address));
  }

  #unclaimed(address: Address, route: RouteRow, depth: number): Reply | undefined {
    if (this.#walk.explain) this.#walk.step('alias table', `no entry claims ${formatAddress(address)}`);
    // Accepted whatever the domain's status, so that problems can be reported. RFC 5321 §4.5.1
    if (isRole(address)) return this.#recipients.sitePostmaster(address, depth);
    const stop = stopOf(this.#walk, route);
    if (stop !== undefined && stop.waitsFor === undefined) return stop.reply;
    const canonical = this.#canonical(address, route);
    if (canonical === undefined) return undefined;
    const smartHost = this.#smartHost(route);
    const { catchall } = route;
    // What nobody would take is not held.
    if (canonical === null && catchall === undefined && smartHost === undefined) return replies.noSuchUser;
    if (stop !== undefined) return stopped(this.#walk, stop, address);
    if (canonical !== null)
      return canonical.row === undefined
        ? this.#notLocal(address, canonical.route)
        : this.#recipients.recipient(canonical.row, canonical.route, address, depth);
    if (catchall !== undefined) return this.#catchall(route, catchall, depth);
    if (this.#walk.explain) this.#walk.step('smart host', `mailRoutingSmartHost of ${route.domain}: ${smartHost}`);
    return this.#walk.target(hopTarget(address, smartHost!));
  }

  /**
   * Who claims the same local part in the domain that inetCanonicalDomainName names: one step, null where nobody does.
   * Without a row: that domain is not local, and nothing is known here of its people.
   */
  #canonical(address: Address, route: RouteRow): { row?: RecipientRow; route: RouteRow } | null | undefined {
    if (route.canonical === undefined || route.canonical === route.domain) return null;
    const canonical = this.#walk.route(route.canonical);
    if (canonical === undefined) return undefined;
    if (canonical === null || canonical.aliasOf !== undefined || canonical.isWithoutMail === true) return null;
    if (this.#walk.explain)
      this.#walk.step('domain alias', `inetCanonicalDomainName of ${route.domain}: ${canonical.domain}`);
    if (!this.#walk.isLocal(canonical)) return { route: canonical };
    const row = this.#claimant(address, canonical.domain);
    return row && { row, route: canonical };
  }

  /** One that is this host knows no more of the address than this host does. */
  #smartHost({ smartHost }: RouteRow): string | undefined {
    const destination = smartHost === undefined ? undefined : parseDestination(smartHost);
    const isElsewhere = destination !== undefined && 'hops' in destination;
    return isElsewhere && !destination.hops.every(({ host }) => this.#walk.isOurs(host)) ? smartHost : undefined;
  }

  #catchall(route: RouteRow, catchall: string, depth: number): Reply | undefined {
    if (this.#walk.explain) this.#walk.step('catch-all', `mailDomainCatchallAddress of ${route.domain}: ${catchall}`);
    return this.#walk.follow(`catch-all of ${route.domain}`) ? this.addressText(catchall, depth + 1) : undefined;
  }
}

/** The address itself, and the one that it would be a subaddress of. */
function questionsOf({ localPart }: Address, { domain }: RouteRow): readonly AuthorityQuestion[] {
  const own = { localPart, domain };
  const plain = withoutSubaddress(own);
  const asked = [{ address: addressKey(own) }];
  return plain === undefined ? asked : [...asked, { address: addressKey({ localPart: plain.localPart, domain }) }];
}

/** Local parts that must be read in every domain. RFC 5321 §4.5.1, RFC 2142 §2 */
function isRole(address: Address): boolean {
  const name = asciiLower(address.localPart);
  return name === SITE_POSTMASTER || name === 'abuse';
}
