// The part of a walk that goes through lists: who may send, who gets a message, and what is left to the transfer thread.
//
// In      the row of a list, and how many addresses lie behind it
// Out     targets of its members, or of its moderators; the failures of those who get nothing now; the target of a list that
//         is left to the transfer thread
// States  a list of too many members, or of which URLs say who is one, is left: of the outermost list that the walk is in,
//         nothing that was found counts
// Limits  GROUP_DEPTH_MAX lists in lists, LIST_MEMBERS_IN_ACCEPT members in all of them, MEMBERS_EXPLAINED of each explained

import { GROUP_DEPTH_MAX, LIST_MEMBERS_IN_ACCEPT } from '../../base/limits.ts';
import type { Reply } from '../../base/reply.ts';
import type { LdapUrl } from '../../directory/ldap-url.ts';
import type { MemberValue } from '../../directory/member-values.ts';
import { type Address, addressKey, tryParseAddress } from '../../message/address.ts';
import { type AccessTables, decideAccess } from '../list-access.ts';
import { type ListPart, type Member, membersOf } from '../list-members.ts';
import { replies } from '../replies.ts';
import type { ResolveOptions } from '../resolution.ts';
import { addressOfKey, type GroupRow } from '../rows.ts';
import { derivedTarget, listTarget, type Target } from '../targets.ts';
import type { Onward, Walk } from './walk.ts';

/** Of a list; the others are counted. */
const MEMBERS_EXPLAINED = 100;

export class Lists {
  readonly #walk: Walk;
  readonly #onward: Onward;
  /** Left at its first target. */
  readonly #isVerifying: boolean;
  /** Of lists by their entries. */
  readonly #decided = new Map<number, ListPart | Reply>();
  /** Members that are written in lists that the walk is in and in those that it has left. */
  #members = 0;
  /** The outermost list that the walk is in. */
  #root: Target | undefined;
  /** It, where it is left to the transfer thread. */
  #left: Target | undefined;
  /** Those that are met are targets. */
  #areTargets = false;

  constructor(walk: Walk, onward: Onward, options: ResolveOptions) {
    this.#walk = walk;
    this.#onward = onward;
    this.#isVerifying = options.verify ?? false;
  }

  /** The outermost list, where it is left to the transfer thread. */
  get left(): Target | undefined {
    return this.#left;
  }

  /** The list is its only target. What has been found of it so far will be found again. */
  targetLeft(left: Target): Reply | undefined {
    this.#walk.targets.clear();
    this.#walk.failures.clear();
    this.#walk.listDepth = 0;
    return this.#walk.run(() => this.#walk.target(left));
  }

  /** Lists among them are targets. */
  slice(members: readonly Member[]): void {
    this.#areTargets = true;
    for (const member of members) this.#member(member, 1);
  }

  /** It has made the message before another list did: its members have it. */
  hasPassed({ entry, dn }: GroupRow): boolean {
    const { lists } = this.#walk.request;
    if (lists === undefined || lists.at(-1) === entry || !lists.includes(entry)) return false;
    this.#walk.hasPassed = true;
    if (this.#walk.explain) this.#walk.step('loop', `${dn} has been served already`);
    return true;
  }

  /** Whom a message to the list goes to; a reply where it goes to nobody. */
  access(row: GroupRow): ListPart | Reply {
    // Its own message has been let in already.
    if (row.rules === undefined || this.#walk.request.lists?.includes(row.entry) === true) return 'members';
    const known = this.#decided.get(row.entry);
    if (known !== undefined) return known;
    const { request } = this.#walk;
    const asked = { ...request, ...request.author };
    const { to, rule, reply, rests } = decideAccess(row, asked, this.#accessTables());
    if (this.#walk.explain) this.#walk.step('access rule', rule);
    const route = rests === undefined || asked.sender === undefined ? null : this.#walk.route(asked.sender.domain);
    const refusal =
      rests === undefined ? reply : this.#walk.consult(rests.questions, rests.isSure, route ?? null, () => reply);
    const part = refusal ?? (to === 'list' ? 'members' : 'moderators');
    this.#decided.set(row.entry, part);
    return part;
  }

  #accessTables(): AccessTables {
    const walk = this.#walk;
    const { tables } = walk;
    return {
      route: (domain) => walk.wanted(walk.route(domain)),
      alias: (key) => walk.wanted(walk.alias(key)),
      recipient: (dn) => walk.wanted(walk.entry(dn)),
      listsWith: (member) => walk.answered(tables.listsWith(member), { ask: 'listsWith', member }),
      dynamicListsOver: (dn) => walk.answered(tables.dynamicListsOver(dn), { ask: 'dynamicListsOver', dn }),
      matches: (dn, url) => walk.answered(tables.matches(dn, url), { ask: 'matches', dn, url }),
      asksOthers: walk.asksOthers,
    };
  }

  group(row: GroupRow, part: ListPart, address: Address, depth: number): Reply | undefined {
    if (isDerived(row, part, this.#walk.request.lists)) return this.#derived(row, part, address);
    const target = listTarget(address, row, part);
    if (this.#areTargets) return this.#walk.target(target);
    if (!this.#walk.follow(row.dn)) return undefined;
    if (this.#walk.listDepth >= GROUP_DEPTH_MAX) {
      if (this.#walk.explain) this.#walk.step('group', `lists are nested deeper than ${GROUP_DEPTH_MAX}`);
      return replies.listTooLarge;
    }
    this.#walk.isOfList = true;
    if (this.#walk.listDepth === 0) this.#root = target;
    if (this.#isVerifying) this.#verifyMembers(row, depth);
    else this.#listMembers(row, depth);
    return undefined;
  }

  #derived(row: GroupRow, part: ListPart, address: Address): Reply {
    const { moderators = [] } = row.rules ?? {};
    if (this.#walk.explain) this.#walk.step('group', `${row.dn}: ${derivedText(row, part)}`);
    // Whoever was named cannot be asked.
    if (part === 'moderators' && moderators.length === 0) return replies.unsupported;
    return this.#walk.target(targetOfList(address, row, { part, lists: this.#walk.request.lists }));
  }

  #listMembers(row: GroupRow, depth: number): void {
    const { entry: list } = row;
    const count = this.#walk.answered(this.#walk.tables.memberCount(list), { ask: 'memberCount', list });
    if (this.#walk.explain) this.#walk.step('group', `${row.dn} has ${count} members${urlsText(row.urls)}`);
    if (row.urls !== undefined) this.#leave('URLs say who is a member');
    this.#count(count);
    const limit = this.#left === undefined ? LIST_MEMBERS_IN_ACCEPT : MEMBERS_EXPLAINED;
    this.#walkMembers(membersOf(this.#page(row, 0, limit)), depth);
    if (this.#walk.explain && count > MEMBERS_EXPLAINED) this.#explainRest(count);
    if (this.#walk.explain && row.urls !== undefined) this.#explainFound(row, depth);
  }

  /** As the transfer thread will find them, if nothing changes until then. */
  #explainFound({ entry: list, dn }: GroupRow, depth: number): void {
    const limit = MEMBERS_EXPLAINED;
    const found = this.#walk.answered(this.#walk.tables.foundByUrl(list, limit), { ask: 'foundByUrl', list, limit });
    if (found === null) {
      this.#walk.step('group', `whom the URLs of ${dn} found is not known`);
      return;
    }
    const { members, count, isMore } = found;
    this.#walk.step('group', `the URLs of ${dn} find ${count}${isMore ? ' or more' : ''}`);
    this.#walkMembers(members, depth);
    if (count > members.length || isMore)
      this.#walk.step('group', `and ${count - members.length}${isMore ? ' or more' : ''} more members`);
  }

  /** In pages that grow: as a rule the first member is reached, and the others are not read. */
  #verifyMembers(row: GroupRow, depth: number): void {
    if (row.urls !== undefined) this.#leave('');
    let after = 0;
    for (let limit = 1; ; limit = Math.min(4 * limit, LIST_MEMBERS_IN_ACCEPT)) {
      const values = this.#page(row, after, limit);
      this.#count(values.length);
      this.#walkMembers(membersOf(values), depth);
      if (values.length < limit) return;
      after = values.at(-1)!.id;
    }
  }

  #page({ entry: list }: GroupRow, after: number, limit: number): readonly MemberValue[] {
    return this.#walk.answered(this.#walk.tables.members(list, after, limit), { ask: 'members', list, after, limit });
  }

  #walkMembers(members: readonly Member[], depth: number): void {
    const wasExplaining = this.#walk.explain;
    this.#walk.listDepth++;
    for (const [index, member] of members.entries()) {
      if (index === MEMBERS_EXPLAINED) this.#walk.explain = false;
      // What is left to the transfer thread is walked only to be shown.
      if (this.#left !== undefined && !this.#walk.explain) break;
      this.#member(member, depth + 1);
      if (this.#isVerifying && this.#walk.targets.size > 0) this.#walk.leave();
      if (this.#left !== undefined && this.#walk.areStepsFull()) this.#walk.leave();
    }
    this.#walk.explain = wasExplaining;
    this.#walk.listDepth--;
  }

  #explainRest(count: number): void {
    this.#walk.step('group', `and ${count - MEMBERS_EXPLAINED} more members`);
  }

  /** Too many are not looked at while somebody waits for the reply. */
  #count(members: number): void {
    this.#members += members;
    if (this.#members > LIST_MEMBERS_IN_ACCEPT) this.#leave(`more than ${LIST_MEMBERS_IN_ACCEPT} members`);
  }

  #leave(why: string): void {
    if (this.#left === undefined && this.#walk.explain)
      this.#walk.step('group', `${why}: expanded once the message is accepted`);
    this.#left ??= this.#root;
    if (!this.#walk.isExplaining) this.#walk.leave();
  }

  #member(member: Member, depth: number): void {
    if ('dn' in member) this.#memberEntry(member.dn, depth);
    else this.#memberAddress(member.address, depth);
  }

  #memberAddress(text: string, depth: number): void {
    if (this.#walk.explain) this.#walk.step('member', text);
    // A text that is no address does not hold up the other members.
    const address = tryParseAddress(text) ?? { localPart: text, domain: '' };
    this.#walk.origin = address;
    const reply = this.#onward.address(address, depth);
    const entry = this.#walk.tables.alias(addressKey(address))?.entry;
    this.#walk.failed(entry === undefined ? { recipient: address } : { recipient: address, entry }, reply);
  }

  #memberEntry(dn: string, depth: number): void {
    const row = this.#walk.entry(dn);
    if (row === undefined) return;
    const key = row?.addresses[0];
    if (this.#walk.explain)
      this.#walk.step('member', key === undefined ? `${dn}: no mail entry that routes, left out` : dn);
    if (row === null) {
      // The list waits for who cannot be asked for: a member that nobody here has an address of cannot be tried alone.
      this.#walk.waits ??= this.#walk.consult([{ dn }], false, null, () => undefined);
      return;
    }
    if (key === undefined) return;
    const address = addressOfKey(key);
    const route = this.#walk.route(address.domain);
    if (route === undefined || route === null) return;
    const isLocal = route.aliasOf === undefined && this.#walk.isLocal(route);
    this.#walk.origin = address;
    const reply = isLocal
      ? this.#walk.consult([{ dn }], true, route, () => this.#onward.recipient(row, route, address, depth))
      : this.#onward.address(address, depth);
    this.#walk.failed({ recipient: address, entry: row.entry }, reply);
  }
}

function urlsText(urls: readonly LdapUrl[] = []): string {
  return urls.map(({ base, scope, filter }) => `, and who matches ldap:///${base}??${scope}?${filter}`).join('');
}

/** Which of them have made the message that is looked at. */
type Made = readonly number[] | undefined;

function isDerived({ entry, texts }: GroupRow, part: ListPart, lists: Made): boolean {
  return (texts !== undefined || part === 'moderators') && lists?.includes(entry) !== true;
}

/** What stands for all of the list, for the transfer thread. */
export function targetOfList(
  address: Address,
  row: GroupRow,
  { part, lists }: { readonly part: ListPart; readonly lists: Made },
): Target {
  return isDerived(row, part, lists) ? derivedTarget(address, row, part, lists) : listTarget(address, row, part);
}

function derivedText({ rules, texts = {} }: GroupRow, part: ListPart): string {
  if (part === 'moderators') return `held until one of ${rules?.moderators?.length ?? 0} moderators agrees`;
  return `made anew once it is accepted, for ${Object.keys(texts).join(', ')}`;
}
