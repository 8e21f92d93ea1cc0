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
// Parts   walk/: addresses.ts -> by-rules.ts, recipients.ts -> lists.ts, stop.ts; what they share is walk.ts
// Never   reads a database, a clock or the network; parses a local part for a route
// RFC 5321 §3.4, §3.9, §4.5.1, §5.1

import { isAccepted, isTemporary, type Reply } from '../base/reply.ts';
import type { Address } from '../message/address.ts';
import type { Member } from './list-members.ts';
import { replies } from './replies.ts';
import type { Resolution, ResolveAnswer, ResolveOptions, RoutingTables, Site } from './resolution.ts';
import type { RouteRequest } from './route-request.ts';
import type { RecipientRow, RouteRow } from './rows.ts';
import { Addresses } from './walk/addresses.ts';
import { ByRules } from './walk/by-rules.ts';
import { Lists } from './walk/lists.ts';
import { Recipients } from './walk/recipients.ts';
import { type Onward, Walk } from './walk/walk.ts';

export type {
  FailedMember,
  ProbeNote,
  Resolution,
  ResolveAnswer,
  ResolveOptions,
  RoutingTables,
  Site,
  StepName,
} from './resolution.ts';
export type { Door, RouteRequest } from './route-request.ts';
export type { Target } from './targets.ts';

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
  {
    tables,
    site,
    isUnsure,
  }: { readonly tables: RoutingTables; readonly site: Site } & Pick<ResolveOptions, 'isUnsure'>,
): ResolveAnswer {
  const options = isUnsure === undefined ? {} : { isUnsure };
  return new Resolving(request, tables, site, options).answerMembers(address, members);
}

/** The parts of one walk, each with the others that it leads to. */
class Resolving implements Onward {
  readonly #walk: Walk;
  readonly #rules: ByRules;
  readonly #lists: Lists;
  readonly #recipients: Recipients;
  readonly #addresses: Addresses;

  constructor(request: RouteRequest, tables: RoutingTables, site: Site, options: ResolveOptions) {
    this.#walk = new Walk(request, tables, site, options);
    this.#rules = new ByRules(this.#walk, this, options.rule);
    this.#lists = new Lists(this.#walk, this, options);
    this.#recipients = new Recipients(this.#walk, this, this.#lists);
    this.#addresses = new Addresses(this.#walk, this.#rules, this.#recipients);
  }

  answer(address: Address): ResolveAnswer {
    this.#walk.origin = address;
    return this.#answer(address, () => this.address(address, 0));
  }

  answerMembers(address: Address, members: readonly Member[]): ResolveAnswer {
    return this.#answer(address, () => {
      this.#lists.slice(members);
      return replies.accepted;
    });
  }

  address(address: Address, depth: number): Reply | undefined {
    return this.#addresses.address(address, depth);
  }

  addressText(text: string, depth: number): Reply | undefined {
    return this.#addresses.addressText(text, depth);
  }

  ofDomain(address: Address, route: RouteRow, depth: number): Reply | undefined {
    return this.#addresses.ofDomain(address, route, depth);
  }

  recipient(row: RecipientRow, route: RouteRow, address: Address, depth: number): Reply | undefined {
    return this.#recipients.recipient(row, route, address, depth);
  }

  #answer(address: Address, steps: () => Reply | undefined): ResolveAnswer {
    const walk = this.#walk;
    let own = walk.run(steps);
    walk.explain = walk.isExplaining;
    const { left } = this.#lists;
    if (left !== undefined && walk.asked() === 0) own = this.#lists.targetLeft(left);
    if (walk.asked() > 0) return { ask: walk.ask() };
    const reply = this.#reply(own);
    if (walk.explain) walk.step('reply', `${reply.code} ${reply.enhanced} ${reply.text}`);
    return { resolution: this.#resolution(address, reply) };
  }

  /** A list has no reply of its own: its members make it. */
  #reply(own: Reply | undefined): Reply {
    if (this.#walk.waits !== undefined) return this.#walk.waits;
    if (own !== undefined) return own;
    if (this.#walk.targets.size > 0) return replies.accepted;
    const failures = [...this.#walk.failures.values()];
    const failure = failures.find((member) => isTemporary(member.reply)) ?? failures[0];
    if (failure === undefined && this.#walk.hasPassed) return replies.accepted;
    return failure?.reply ?? (this.#walk.hasLooped ? replies.loop : replies.emptyGroup);
  }

  #resolution(address: Address, reply: Reply): Resolution {
    const { steps, targets, failures, consulted } = this.#walk;
    const { probes, rewritten = address, isRelay, isDefaultRoute } = this.#rules;
    const accepted = isAccepted(reply);
    return {
      address,
      steps,
      targets: accepted ? [...targets.values()] : [],
      reply,
      relay: isRelay,
      ...(isDefaultRoute ? { isDefaultRoute: true } : {}),
      ...(this.#walk.isOfList ? { isOfList: true } : {}),
      ...(this.#walk.hasPassed ? { hasPassed: true } : {}),
      rewritten,
      probes,
      failures: accepted ? [...failures.values()] : [],
      ...(consulted.length === 0 ? {} : { consulted }),
    };
  }
}
