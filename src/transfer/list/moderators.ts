// Who is asked about a message to a moderated list: people, for each decides by an address of his own.
//
// In      the list's row, the directory as it is now, the names of this host
// Out     addresses, each once: those that the list names, of a URL those whom it finds; of a group those whom its mail reaches, its
//         members, who it forwards to, its mailRoutingAddress
// As one  a group of another host, that is not active, or that has but a mailbox, a file or a program: its address is asked, and
//         whoever sends as that address decides
// Limits  PEOPLE_MAX of them, GROUP_DEPTH_MAX groups in groups, SLICES_MAX slices read
// Never   looks whether one can be reached. The list itself is among them, where they lead to it: it is the caller's to name that

import { GROUP_DEPTH_MAX } from '../../base/limits.ts';
import type { Reader } from '../../database/operation.ts';
import { type Address, addressKey, tryParseAddress } from '../../message/address.ts';
import { readState } from '../../routing/generation.ts';
import { type Here, hostElsewhere } from '../../routing/here.ts';
import type { ListPart, Member } from '../../routing/list-members.ts';
import { LIST_BEGIN, type ListPlace, readListSlice } from '../../routing/list-source.ts';
import { addressOfKey, type GroupRow, type RecipientRow, type RouteRow } from '../../routing/rows.ts';
import { decidingStatus } from '../../routing/status.ts';
import { readAlias, readRecipient, readRoute } from '../../routing/tables.ts';

const PEOPLE_MAX = 100;
const SLICES_MAX = 100;

export function peopleWhoModerate(reader: Reader, { entry }: GroupRow, here: Here): Address[] {
  return new Asking(reader, entry, here).people();
}

/** Groups whose members are to be read: by entry. */
interface Level {
  readonly list: number;
  readonly part: ListPart;
}

class Asking {
  readonly #reader: Reader;
  readonly #list: number;
  readonly #here: Here;
  readonly #generation: number;
  readonly #found = new Map<string, Address>();
  /** Groups that have been looked at. */
  readonly #seen = new Set<number>();
  #next: Level[] = [];

  constructor(reader: Reader, list: number, here: Here) {
    this.#reader = reader;
    this.#list = list;
    this.#here = here;
    this.#generation = readState(reader).generation;
  }

  people(): Address[] {
    let slices = 0;
    this.#next.push({ list: this.#list, part: 'moderators' });
    for (let depth = 0; depth <= GROUP_DEPTH_MAX && this.#next.length > 0; depth++) {
      const level = this.#next;
      this.#next = [];
      for (const { list, part } of level) {
        let place: ListPlace | undefined = LIST_BEGIN;
        while (place !== undefined && this.#found.size < PEOPLE_MAX && slices++ < SLICES_MAX) {
          const slice = readListSlice(this.#reader, { list, part, place, limit: PEOPLE_MAX });
          place = slice.next;
          for (const member of slice.members) this.#member(member);
        }
      }
    }
    return [...this.#found.values()].slice(0, PEOPLE_MAX);
  }

  #member(member: Member): void {
    if ('dn' in member) {
      const row = readRecipient(this.#reader, this.#generation, member.dn);
      const key = row?.addresses[0];
      if (row !== null && key !== undefined) this.#recipient(addressOfKey(key), row);
      return;
    }
    const address = tryParseAddress(member.address);
    if (address !== undefined) this.#recipient(address, this.#claimant(address));
  }

  #recipient(address: Address, row: RecipientRow | undefined): void {
    const isGroup = row?.kind === 'group' && row.entry !== this.#list && this.#isServedHere(address, row);
    if (!isGroup || !this.#group(row)) this.#found.set(addressKey(address), address);
  }

  /** False: its address is asked as one. */
  #group({ entry, routingAddress, options = ['members'], forward = [] }: GroupRow): boolean {
    const hasMembers = options.includes('members') || options.includes('members_offline');
    const onward = routingAddress !== undefined ? [routingAddress] : options.includes('forward') ? forward : [];
    if (onward.length === 0 && !hasMembers) return false;
    if (this.#seen.has(entry)) return true;
    this.#seen.add(entry);
    for (const text of onward) this.#member({ address: text });
    if (routingAddress === undefined && hasMembers) this.#next.push({ list: entry, part: 'members' });
    return true;
  }

  /** What stands against mail to it is found when its address is asked. */
  #isServedHere({ domain }: Address, row: GroupRow): boolean {
    const route = this.#localRoute(domain);
    const isHere = hostElsewhere(row.mailHost, this.#here) === undefined;
    return isHere && route !== null && decidingStatus(route, row, ({ reply }) => reply !== undefined) === undefined;
  }

  #claimant(address: Address): RecipientRow | undefined {
    const route = this.#localRoute(address.domain);
    if (route === null) return undefined;
    return readAlias(this.#reader, this.#generation, addressKey({ ...address, domain: route.domain }))?.row;
  }

  /** Of the domain, or the one that it is another name of; of a domain of other hosts it is theirs to say who is who. */
  #localRoute(domain: string): RouteRow | null {
    const own = readRoute(this.#reader, this.#generation, domain);
    const route = own?.aliasOf === undefined ? own : readRoute(this.#reader, this.#generation, own.aliasOf);
    if (route === null || route.isMx !== undefined || route.isWithoutMail !== undefined) return null;
    const { routingHosts } = route;
    return routingHosts === undefined || routingHosts.some((host) => this.#here.hostnames.includes(host))
      ? route
      : null;
  }
}
