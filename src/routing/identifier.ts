// Identifiers of access control lists: what people write, and the identity that a row holds.
//
// In      an address of a user or a list, or `anyone`; `-` before it: what is named is taken away
// Out     the UUID of the entry, or `anyone`; back again, the primary address of now
// Errors  `not-found` for what nobody here has; `unsupported` for `anonymous`, and for a line of the mailbox's owner
// RFC 4314 §2, §2.1

import { Failure } from '../base/failure.ts';
import type { AccountId } from '../base/ids.ts';
import { type AclRow, ANYONE } from '../store/rights.ts';
import type { Parties } from './identities.ts';
import { beginningRights } from './mailbox-rights.ts';

export interface Identifier {
  readonly identity: string;
  readonly negative: boolean;
}

export function identifierOf(parties: Parties, text: string): Identifier {
  const negative = text.startsWith('-');
  const name = negative ? text.slice(1) : text;
  const lower = name.toLowerCase();
  if (lower === ANYONE) return { identity: ANYONE, negative };
  if (lower === 'anonymous') throw new Failure('unsupported', 'Nobody reads mail without a login');
  const party = parties.byAddress(name);
  if (party === undefined) throw new Failure('not-found', `No user and no list here has the address ${name}`);
  return { identity: party.uuid, negative };
}

/** For a line that is to change: `before`, what stands while there is no row for it. */
export function changedLine(
  parties: Parties,
  owner: AccountId,
  text: string,
): Identifier & { readonly before: string } {
  const line = identifierOf(parties, text);
  const party = parties.byAccount(owner);
  // A list's own identity means its members.
  if (party !== undefined && !party.isList && line.identity === party.uuid)
    throw new Failure('unsupported', 'The owner of a mailbox has all rights in it');
  return { ...line, before: party === undefined || line.negative ? '' : beginningRights(party, line.identity) };
}

/** Undefined: the entry has no address now. */
export function textOfIdentity(parties: Parties, { identity, negative }: AclRow): string | undefined {
  const address = identity === ANYONE ? ANYONE : parties.byUuid(identity)?.address;
  return address && `${negative ? '-' : ''}${address}`;
}
