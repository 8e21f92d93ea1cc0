// What the one who has logged in may do in a mailbox now, by its list of rights. Who owns the mailbox may all.
//
// In      a mailbox; the rights that a command needs there
// Out     the access that the store is asked with; at which revision the rights were worked out, for changes: an operation that finds
//         another one refuses, and whoever has asked works them out again
// Errors  as requireRights (routing/mailbox-rights.ts)
// RFC 4314 §4

import { Failure } from '../../base/failure.ts';
import { type RightsNow, requireRights } from '../../routing/mailbox-rights.ts';
import { haveRightsMoved } from '../../store/acl.ts';
import { ANSWERED, DELETED, DRAFT, FLAGGED, type FlagMask, SEEN } from '../../store/flags.ts';
import type { MailboxAccess, MailboxKey } from '../../store/mailbox-key.ts';
import { hasCommonFlags } from '../../store/metadata.ts';
import type { MailboxRight } from '../../store/rights.ts';
import type { ImapConversation } from './conversation.ts';

type Asker = Pick<ImapConversation, 'reader' | 'door'>;

/** For the arguments of an operation: empty for a mailbox of the own. */
export interface Permitted {
  readonly rightsAt?: number;
}

export interface PermittedFlags extends Permitted {
  /** The flags that may be set; absent: all. */
  readonly may?: FlagMask;
}

/** How the store is asked about this mailbox. */
export function accessTo({ reader, door }: Asker, { owner, mailbox }: MailboxKey): MailboxAccess {
  if (owner === reader) return { owner, mailbox, reader };
  if (hasCommonFlags(door.reader, { owner, mailbox })) return { owner, mailbox, reader, status: 'common' };
  const isList = door.rights.parties.byAccount(owner)?.isList === true;
  return { owner, mailbox, reader, ...(isList ? { status: 'beginning' as const } : {}) };
}

export function rightsIn({ reader, door }: Asker, key: MailboxKey): RightsNow {
  return door.rights.of(reader, key);
}

export function permitted(session: Asker, key: MailboxKey, ...needed: readonly MailboxRight[]): Permitted {
  if (key.owner === session.reader) return {};
  const now = rightsIn(session, key);
  requireRights(now, needed);
  return { rightsAt: now.at };
}

/** Which flags may be changed, `s`, `w` and `t`. */
export function permittedFlags(session: Asker, key: MailboxKey): PermittedFlags {
  if (key.owner === session.reader) return {};
  const { rights, at } = rightsIn(session, key);
  const flags =
    (rights.includes('s') ? SEEN : 0) |
    (rights.includes('w') ? ANSWERED | FLAGGED | DRAFT : 0) |
    (rights.includes('t') ? DELETED : 0);
  return { may: { flags, keywords: rights.includes('w') }, rightsAt: at };
}

/** Nothing of it can be changed. */
export function maySetNone({ may }: PermittedFlags): boolean {
  return may !== undefined && may.flags === 0 && !may.keywords;
}

/** A change may find other rights so often. */
const TRIES = 20;

/** `act` works out rights and makes a change; both again while rights move in between. */
export async function whileRightsMove<T>(act: () => Promise<T>): Promise<T> {
  for (let left = TRIES; left > 0; left--)
    try {
      return await act();
    } catch (error) {
      if (!haveRightsMoved(error)) throw error;
    }
  throw new Failure('unavailable', 'Rights change too fast, try again later');
}

/** Both were worked out at one revision: an operation compares one. */
export function bothPermitted(one: Permitted, other: Permitted): Permitted {
  return one.rightsAt === undefined
    ? other
    : { ...other, rightsAt: Math.min(one.rightsAt, other.rightsAt ?? one.rightsAt) };
}
