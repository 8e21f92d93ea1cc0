// A list's members and moderators as mail reads them: names of entries, and addresses.
//
// In      values of the directory; parties of a row
// Out     normalized DNs, and addresses as they were written; none for a value that mail can read nothing in

import type { ListParty } from '../directory/list-party.ts';
import { nameEnd, prepareFor } from '../directory/matching.ts';
import type { MemberValue } from '../directory/member-values.ts';

export type Member =
  /** Normalized. */
  { readonly dn: string } | { readonly address: string };

/** Who gets a message to a list: its members, or those who decide about it. */
export type ListPart = 'members' | 'moderators';

export function membersOf(values: readonly MemberValue[]): Member[] {
  return values.map(memberOf).filter((member) => member !== undefined);
}

function memberOf({ attribute, value }: MemberValue): Member | undefined {
  if (attribute === 'mgrprfc822mailmember') return { address: value.trim() };
  // RFC 4517 §3.3.21: a bit string may stand behind a name.
  const name = attribute === 'member' ? value : value.slice(0, nameEnd(value));
  const dn = prepareFor('distinguishedNameMatch', name);
  return dn === undefined || dn === '' ? undefined : { dn };
}

/** Those that no URL stands for. */
export function writtenModerators(moderators: readonly ListParty[] = []): Member[] {
  return moderators.flatMap((party): Member[] => {
    if ('url' in party) return [];
    return ['dn' in party ? party : { address: party.written ?? party.address }];
  });
}
