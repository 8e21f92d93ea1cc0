// What all parts of one walk from an address to its targets share: what was asked, what has been found, what is missing.
//
// In      the request, the tables as far as they are loaded, the names of this host
// Out     targets, steps, and the rows to ask for
// States  a row that is not loaded is asked for, and the walk goes on, for it may find more to ask for; where nothing more can
//         be found out it is left at once
// Limits  STEPS_MAX steps are kept

import { isAccepted, isPermanent, type Reply } from '../../base/reply.ts';
import type { AuthorityQuestion } from '../../directory/source/authority.ts';
import { type Address, addressKey } from '../../message/address.ts';
import { channelNamed } from '../channels.ts';
import type { ChannelRow } from '../compile-channel.ts';
import { hostElsewhere } from '../here.ts';
import type { ListQuestion } from '../list-tables.ts';
import { replies } from '../replies.ts';
import type {
  Ask,
  Consulted,
  FailedMember,
  ResolveOptions,
  RoutingTables,
  Site,
  Step,
  StepName,
} from '../resolution.ts';
import type { RouteRequest } from '../route-request.ts';
import type { RecipientRow, RouteRow } from '../rows.ts';
import type { RoutingSettings } from '../settings.ts';
import { leavesThisHost, pausedTarget, type Target, targetText, unresolvedTarget, withOrigin } from '../targets.ts';
import type { TokenMeaning } from '../tokens.ts';

/** Where its parts lead back to. A reply is undefined where what it leads to has already been added, or is yet to be asked. */
export interface Onward {
  /** `depth`: how many addresses lie behind it. */
  address(address: Address, depth: number): Reply | undefined;
  /** Of an address that a row holds. */
  addressText(text: string, depth: number): Reply | undefined;
  /** `route` is the row of the address's own domain. */
  ofDomain(address: Address, route: RouteRow, depth: number): Reply | undefined;
  /** `route` is that of the domain in which `row` claims the address. */
  recipient(row: RecipientRow, route: RouteRow, address: Address, depth: number): Reply | undefined;
}

const STEPS_MAX = 2000;

/** Thrown inside only, to leave a walk that has nothing more to find out: the same each time, because a stack costs microseconds. */
const ENOUGH = new Error('enough');

export class Walk {
  readonly request: RouteRequest;
  readonly tables: RoutingTables;
  readonly isExplaining: boolean;
  /** Not where a list's first members have been explained. */
  explain: boolean;
  readonly steps: Step[] = [];
  /** By key. */
  readonly targets = new Map<string, Target>();
  /** The envelope's address, or the member of a list that is being followed: resolved again, it alone leads there. */
  origin: Address | undefined;
  /** Lists that the walk is in. */
  listDepth = 0;
  hasLooped = false;
  /** A list was met that has had the message. */
  hasPassed = false;
  /** It went through members of a list. */
  isOfList = false;
  /** Targets that it has come to, known ones too. */
  reached = 0;
  /** What becomes of targets for other hosts: behind an address that an entry forwards to. */
  leaving: ((target: Target) => Target) | undefined;
  /** What it went by, where somebody else has the say: as `isUnsure` says. */
  readonly consulted: Consulted[] = [];
  /** A member whose entry nobody could be asked for: the list waits. */
  waits: Reply | undefined;
  readonly #isUnsure: ResolveOptions['isUnsure'];
  readonly #isClosed: ResolveOptions['isClosed'];
  /** By entry, or address: who is reached in two ways has failed once. */
  readonly failures = new Map<number | string, FailedMember>();
  readonly #site: Site;
  readonly #askMax: number;
  readonly #ask = {
    domains: new Set<string>(),
    addresses: new Set<string>(),
    dns: new Set<string>(),
    settings: false,
    lists: [] as ListQuestion[],
  };
  /** Groups and catch-all substitutions already followed: a loop or a second way to the same. */
  readonly #followed = new Set<string>();

  constructor(request: RouteRequest, tables: RoutingTables, site: Site, options: ResolveOptions) {
    this.request = request;
    this.tables = tables;
    this.#site = site;
    this.isExplaining = options.explain ?? false;
    this.#isUnsure = options.isUnsure;
    this.#isClosed = options.isClosed;
    this.explain = this.isExplaining;
    this.#askMax = options.askMax ?? Number.POSITIVE_INFINITY;
  }

  /** Undefined, too, where the walk is left. */
  run(walk: () => Reply | undefined): Reply | undefined {
    try {
      return walk();
    } catch (error) {
      if (error === ENOUGH) return undefined;
      throw error;
    }
  }

  leave(): never {
    throw ENOUGH;
  }

  // Rows. Undefined: not loaded, and asked for.

  route(domain: string): RouteRow | null | undefined {
    const row = this.tables.route(domain);
    if (row === undefined) this.#missing(this.#ask.domains, domain);
    return row?.isWithoutMail === true && this.#isForeign(row) ? null : row;
  }

  /** The domain without mail has an entry here, and its own mail hosts, if any: who asks has to ask those. */
  #isForeign({ domain }: RouteRow): boolean {
    if (this.isOurs(domain) || this.#site.dnsMode === 'none') return true;
    return this.answered(this.tables.isTheirs(domain), { ask: 'isTheirs', domain });
  }

  /** As far as it has been asked for. */
  hasEntry(domain: string): boolean {
    return this.tables.route(domain) != null;
  }

  alias(key: string): RecipientRow | null | undefined {
    const row = this.tables.alias(key);
    if (row === undefined) this.#missing(this.#ask.addresses, key);
    return row;
  }

  /** By normalized DN. */
  entry(dn: string): RecipientRow | null | undefined {
    const row = this.tables.recipient(dn);
    if (row === undefined) this.#missing(this.#ask.dns, dn);
    return row;
  }

  settings(): RoutingSettings | undefined {
    const settings = this.tables.settings();
    if (settings !== undefined) return settings;
    this.#ask.settings = true;
    if (this.asked() >= this.#askMax) throw ENOUGH;
    return undefined;
  }

  /** Undefined, too, for a name that is no channel. */
  channel(name: string): ChannelRow | undefined {
    const settings = this.settings();
    return settings && channelNamed(settings, name);
  }

  #missing(set: Set<string>, key: string): void {
    set.add(key);
    if (this.asked() >= this.#askMax) throw ENOUGH;
  }

  /** A row that nothing more can be found out without. */
  wanted<T>(row: T | undefined): T {
    if (row === undefined) throw ENOUGH;
    return row;
  }

  /** An answer about lists that nothing more can be found out without. */
  answered<T>(answer: T | undefined, question: ListQuestion): T {
    if (answer !== undefined) return answer;
    this.#ask.lists.push(question);
    throw ENOUGH;
  }

  /** How much is missing. */
  asked(): number {
    const { domains, addresses, dns, settings, lists } = this.#ask;
    return domains.size + addresses.size + dns.size + (settings ? 1 : 0) + lists.length;
  }

  ask(): Ask {
    const { domains, addresses, dns, settings, lists } = this.#ask;
    return { domains: [...domains], addresses: [...addresses], dns: [...dns], settings, lists };
  }

  // What is found.

  target(planned: Target): Reply {
    const channel = this.channel(planned.channel);
    const refused = this.#overLimit(channel);
    if (refused !== undefined) return refused;
    const waits = planned.destination === '' && channel?.isPaused === true;
    const goesOn = this.leaving !== undefined && leavesThisHost(planned) ? this.leaving(planned) : planned;
    const target = withOrigin(waits ? pausedTarget(goesOn) : goesOn, this.origin!);
    this.reached++;
    const known = this.targets.has(target.key);
    if (!known) this.targets.set(target.key, target);
    if (this.explain) this.step('channel', `${targetText(target)}${known ? ': already a target' : ''}`);
    return replies.accepted;
  }

  /** Where who asks may not look into the domain: its mail is accepted, whatever becomes of it. */
  closed(domain: string, address: Address): Reply | undefined {
    if (this.#isClosed?.(domain) !== true) return undefined;
    if (this.explain) this.step('routing table', `${domain} is here, and not yours to look into`);
    return this.target(unresolvedTarget(address));
  }

  /** What gets nothing, while others of the same recipient may. */
  failed(member: Omit<FailedMember, 'reply'>, reply: Reply | undefined): void {
    if (reply === undefined || isAccepted(reply)) return;
    this.failures.set(member.entry ?? addressKey(member.recipient), { ...member, reply });
  }

  /** Our tables may not be alone to say. */
  get asksOthers(): boolean {
    return this.#isUnsure !== undefined;
  }

  /**
   * The reply of what these questions are about, where it is not for our tables alone to say: another one where nobody could be
   * asked. `route`: of its domain, where that is one of ours.
   */
  consult(
    asked: readonly AuthorityQuestion[],
    isKnown: boolean,
    route: RouteRow | null,
    decide: () => Reply | undefined,
  ) {
    if (this.#isUnsure === undefined) return decide();
    const consulted = asked.map((question) => ({ question, isKnown }));
    // Before it is decided: a walk may be left there.
    this.consulted.push(...consulted);
    const reply = decide();
    if (isKnown && (reply === undefined || !isPermanent(reply))) return reply;
    for (const each of consulted) each.isKnown = false;
    for (const question of asked) {
      const unsure = this.#isUnsure(question, route);
      if (unsure === undefined) continue;
      if (this.explain) this.step('source', unsure.text);
      return unsure;
    }
    return reply;
  }

  #overLimit(channel: ChannelRow | undefined): Reply | undefined {
    const { sizeBytes } = this.request;
    if (channel?.sizeMax === undefined || sizeBytes === undefined || sizeBytes <= channel.sizeMax) return undefined;
    if (this.explain)
      this.step('channel', `${channel.key}: blocklimit ${channel.sizeMax}, the message has ${sizeBytes}`);
    return replies.overChannelLimit;
  }

  step(step: StepName, detail: string): void {
    if (this.areStepsFull() && step !== 'reply' && this.listDepth > 0) return;
    this.steps.push(this.listDepth === 0 ? { step, detail } : { step, detail, depth: this.listDepth });
  }

  areStepsFull(): boolean {
    return this.steps.length >= STEPS_MAX;
  }

  /** False when it has been followed before. */
  follow(what: string): boolean {
    if (!this.#followed.has(what)) {
      this.#followed.add(what);
      return true;
    }
    this.hasLooped = true;
    if (this.explain) this.step('loop', `${what} has been followed already`);
    return false;
  }

  // This host.

  get hostname(): string {
    return this.#site.hostnames[0] ?? '';
  }

  /** The host that has the mailbox of who has this mailHost, or none; undefined: this one. */
  elsewhere(mailHost: string | undefined): string | undefined {
    return hostElsewhere(mailHost, this.#site);
  }

  isOurs(host: string): boolean {
    return this.#site.hostnames.includes(host);
  }

  tokenMeaning(address: Address): TokenMeaning | undefined {
    return this.#site.tokens?.meaning(address, this.request);
  }

  isLocal({ routingHosts, isMx }: RouteRow): boolean {
    return isMx === undefined && (routingHosts === undefined || routingHosts.some((host) => this.isOurs(host)));
  }
}
