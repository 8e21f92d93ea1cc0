// Identifiers of access control lists: what a client writes, and the identity that a row holds.
//
// In      an address of a user or a list, or `anyone`; `-` before it: what is named is taken away
// Out     the UUID of the entry, or `anyone`; back again, the primary address of now
// Errors  `not-found` for what nobody here has; `unsupported` for `anonymous`
// RFC 4314 §2, §2.1

import { Failure } from '../../base/failure.ts';
import type { Parties } from '../../routing/identities.ts';
import { type AclRow, ANYONE } from '../../store/rights.ts';

export interface Identifier {
  readonly identity: string;
  readonly negative: boolean;
}

/** `text` as octets. */
export function identifierOf(parties: Parties, text: string): Identifier {
  const negative = text.startsWith('-');
  const name = Buffer.from(negative ? text.slice(1) : text, 'latin1').toString();
  const lower = name.toLowerCase();
  if (lower === ANYONE) return { identity: ANYONE, negative };
  if (lower === 'anonymous') throw new Failure('unsupported', 'Nobody reads mail without a login');
  const party = parties.byAddress(name);
  if (party === undefined) throw new Failure('not-found', 'No user and no list here has this address');
  return { identity: party.uuid, negative };
}

/** As octets. Undefined: the entry has no address now. */
export function textOfIdentity(parties: Parties, { identity, negative }: AclRow): string | undefined {
  const address = identity === ANYONE ? ANYONE : parties.byUuid(identity)?.address;
  return address && Buffer.from(`${negative ? '-' : ''}${address}`).toString('latin1');
}
