// Who is asked about a message to a moderated list: people, for each decides by an address of his own.
//
// In      the list's row, the directory as it is now
// Out     addresses, each once: those that the list names, of a group those of its members, of a URL those whom it finds
// Limits  PEOPLE_MAX of them, GROUP_DEPTH_MAX groups in groups, SLICES_MAX slices read
// Never   looks whether one can be reached

import { GROUP_DEPTH_MAX } from '../../base/limits.ts';
import type { Reader } from '../../database/operation.ts';
import { type Address, addressKey, tryParseAddress } from '../../message/address.ts';
import { readState } from '../../routing/generation.ts';
import type { ListPart, Member } from '../../routing/list-members.ts';
import { LIST_BEGIN, type ListPlace, readListSlice } from '../../routing/list-source.ts';
import { addressOfKey, type GroupRow, type RecipientRow } from '../../routing/rows.ts';
import { readAlias, readRecipient, readRoute } from '../../routing/tables.ts';

const PEOPLE_MAX = 100;
const SLICES_MAX = 100;

export function peopleWhoModerate(reader: Reader, { entry }: GroupRow): Address[] {
  const { generation } = readState(reader);
  const found = new Map<string, Address>();
  const seen = new Set([entry]);
  let slices = 0;
  let level = [{ list: entry, part: 'moderators' as ListPart }];
  for (let depth = 0; depth <= GROUP_DEPTH_MAX && level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { list, part } of level) {
      let place: ListPlace | undefined = LIST_BEGIN;
      while (place !== undefined && found.size < PEOPLE_MAX && slices++ < SLICES_MAX) {
        const slice = readListSlice(reader, { list, part, place, limit: PEOPLE_MAX });
        place = slice.next;
        for (const member of slice.members) {
          const { row, address } = whoIs(reader, generation, member);
          if (row?.kind === 'group' && isItsMembers(row)) {
            if (!seen.has(row.entry)) next.push({ list: row.entry, part: 'members' });
            seen.add(row.entry);
          } else if (address !== undefined) found.set(addressKey(address), address);
        }
      }
    }
    level = next;
  }
  return [...found.values()].slice(0, PEOPLE_MAX);
}

interface Who {
  readonly row: RecipientRow | null | undefined;
  readonly address: Address | undefined;
}

function whoIs(reader: Reader, generation: number, member: Member): Who {
  if ('address' in member) {
    const address = tryParseAddress(member.address);
    return { row: address && claimant(reader, generation, address), address };
  }
  const row = readRecipient(reader, generation, member.dn);
  const key = row?.addresses[0];
  return { row, address: key === undefined ? undefined : addressOfKey(key) };
}

/** The entry of the address, by its domain's other names too. */
function claimant(reader: Reader, generation: number, address: Address): RecipientRow | undefined {
  const row = readAlias(reader, generation, addressKey(address))?.row;
  const domain = row === undefined ? readRoute(reader, generation, address.domain)?.aliasOf : undefined;
  return domain === undefined ? row : readAlias(reader, generation, addressKey({ ...address, domain }))?.row;
}

/** One that is something else too, or at another host, is asked as one. */
function isItsMembers({ options, routingAddress, mailHost }: GroupRow): boolean {
  return options === undefined && routingAddress === undefined && mailHost === undefined;
}
