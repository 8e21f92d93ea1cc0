// Into which mailbox mail with a subaddress goes: the folder that it names, where who sends may post there (right `p`), else INBOX.
//
// In      whose mailbox, the folder's name as the address has it, who sends; a transaction, or a reader for who only asks
// Out     the mailbox, undefined for INBOX, and why
// Order   somebody is given something, or owns it -> the folder, by its exact name, else without case -> it can be selected -> the right
// Who     a login has its own rights, the owner all; mail without one has those of `anyone`, whatever its sender says
// Limits  MAILBOXES_MAX names; of who is in more lists than can be looked through nothing is known: INBOX
// Never   refuses: INBOX takes what the folder does not
// RFC 4314 §2.1, RFC 5233 §1

import { Failure } from '../base/failure.ts';
import type { AccountId, MailboxId } from '../base/ids.ts';
import type { Awaitable, Reader, Transaction } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';
import { aclIn, givesRightsIn } from '../store/acl.ts';
import { mailboxLikeIn } from '../store/mailboxes.ts';
import { ANYONE, rightsOf } from '../store/rights.ts';
import {
  type Identities,
  identitiesOfEntry,
  identitiesOfEntryIn,
  type Owning,
  owningIn,
  partiesOf,
} from './identities.ts';
import { withBeginning } from './mailbox-rights.ts';

export interface Posting {
  readonly owner: AccountId;
  readonly folder: string;
  readonly caller: Caller;
}

export interface Posted {
  /** Undefined: INBOX. */
  readonly mailbox?: MailboxId;
  /** For people: `folder News: who sends has the right p`. */
  readonly why: string;
}

interface Tables extends Pick<Transaction, 'arrays'> {
  owning(account: AccountId): Awaitable<Owning | undefined>;
  identities(uuid: string): Awaitable<Identities | undefined>;
}

export function postedIn(tx: Transaction, posting: Posting): Promise<Posted> {
  return posted(posting, {
    arrays: (...query) => tx.arrays(...query),
    owning: (account) => owningIn(tx, account),
    identities: (uuid) => identitiesOfEntryIn(tx, uuid),
  });
}

/** As it would be now. */
export function readPosted(reader: Reader, posting: Posting): Promise<Posted> {
  return posted(posting, {
    arrays: (...query) => reader.arrays(...query),
    owning: (account) => partiesOf(reader).byAccount(account),
    identities: (uuid) => identitiesOfEntry(reader, uuid),
  });
}

async function posted({ owner, folder, caller }: Posting, tables: Tables): Promise<Posted> {
  const owning = await tables.owning(owner);
  if (owning === undefined) return { why: 'INBOX: its owner has no entry' };
  const isOwner = caller.kind === 'entry' && caller.uuid === owning.uuid;
  if (!isOwner && !owning.isList && !(await givesRightsIn(tables, owner)))
    return { why: 'INBOX: its owner gives nobody the right p' };
  const found = await mailboxLikeIn(tables, owner, folder);
  if (found === undefined) return { why: `INBOX: there is no folder ${folder}` };
  const { id, name, selectable } = found;
  if (!selectable) return { why: `INBOX: ${name} holds folders alone` };
  if (isOwner) return { mailbox: id, why: `folder ${name}: its owner sends` };
  const rows = withBeginning(owning, await aclIn(tables, { owner, mailbox: id }));
  const isGiven = rows.some(({ rights, negative }) => !negative && rights.includes('p'));
  if (isGiven && rightsOf(rows, await whoFits(caller, owning, tables)).includes('p'))
    return { mailbox: id, why: `folder ${name}: who sends has the right p` };
  return { why: `INBOX: who sends has no right p in ${name}` };
}

/** Who has logged in has what the own entry and lists have; of the others nothing is known. */
async function whoFits(caller: Caller, { domain }: Owning, tables: Tables): Promise<(identity: string) => boolean> {
  if (caller.kind !== 'entry') return (identity) => identity === ANYONE;
  const own = await identitiesOr(tables, caller.uuid);
  if (own === undefined) return () => false;
  const uuids = new Set(own.uuids);
  const isOfDomain = domain !== undefined && domain === own.domain;
  return (identity) => (identity === ANYONE ? isOfDomain : uuids.has(identity));
}

/** Undefined, too, where it cannot be found out. */
async function identitiesOr(tables: Tables, uuid: string): Promise<Identities | undefined> {
  try {
    return await tables.identities(uuid);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'unavailable') return undefined;
    throw error;
  }
}
