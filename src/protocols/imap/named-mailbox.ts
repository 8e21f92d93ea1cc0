// From a name in a command to the mailbox that it means, and what may be done there: the one way for all commands.
//
// In      a name in Unicode, as the cursor gives it; the rights that the command needs
// Out     whose mailbox it is and its canonical name there; the mailbox's row; back again, a name as the client has it spelled
// Others  `Other Users/ADDRESS` and `Shared/ADDRESS` are the INBOX of the user or the list with that primary address, what stands
//         behind are its other mailboxes. A mailbox without the right `l` is not there
// Errors  Failure `invalid` for what can be no name; `denied` for what can be seen and lacks a right
// RFC 2342 §5, RFC 4314 §4

import { Failure } from '../../base/failure.ts';
import type { AccountId } from '../../base/ids.ts';
import type { Party } from '../../routing/identities.ts';
import { requireRights } from '../../routing/mailbox-rights.ts';
import type { MailboxKey } from '../../store/mailbox-key.ts';
import {
  canonicalMailboxName,
  FOREIGN_NAMES,
  findMailbox,
  findMailboxById,
  listMailboxes,
  type Mailbox,
  type MailboxName,
  newMailboxName,
  SEPARATOR,
} from '../../store/mailboxes.ts';
import type { Quota } from '../../store/quota.ts';
import type { MailboxRight } from '../../store/rights.ts';
import { encodeMailboxName, encodeUtf8Name } from '../../wire/imap/mailbox-name.ts';
import type { ImapConversation } from './conversation.ts';
import type { EnableName } from './enabled.ts';
import { type Permitted, rightsIn } from './permitted.ts';

type Namer = Pick<ImapConversation, 'owner' | 'reader' | 'door' | 'quota'>;

/** For the arguments of an operation. */
export interface NamedPlace extends MailboxName, Permitted {}

const [USERS, LISTS] = FOREIGN_NAMES;

export function isOwnName(name: string): boolean {
  return !FOREIGN_NAMES.some((prefix) => name === prefix || name.startsWith(prefix + SEPARATOR));
}

/** Of a name in the namespaces of others: whose, and the name there. Undefined: an own name. Throws `not-found` where nobody has it. */
function foreignPlace({ reader, door }: Namer, canonical: string): MailboxName | undefined {
  const [first, address, ...rest] = canonical.split(SEPARATOR);
  if (first !== USERS && first !== LISTS) return undefined;
  const party = address === undefined ? undefined : door.rights.parties.byAddress(address);
  const isThere =
    party?.account !== undefined &&
    party.isList === (first === LISTS) &&
    party.address?.toLowerCase() === address!.toLowerCase() &&
    party.account !== reader;
  const name = canonicalMailboxName(rest.length === 0 ? 'INBOX' : rest.join(SEPARATOR));
  // INBOX has one name.
  if (!isThere || (rest.length > 0 && name === 'INBOX')) throw notThere();
  return { owner: party!.account!, name };
}

function notThere(): Failure {
  return new Failure('not-found', 'No such mailbox');
}

/** Where a name leads; of others only what is there, can be seen, and has the rights that are needed. */
export function namedPlace(session: Namer, name: string, ...needed: readonly MailboxRight[]): NamedPlace {
  const canonical = canonicalMailboxName(name);
  const foreign = foreignPlace(session, canonical);
  if (foreign === undefined) return { owner: session.owner, name: canonical };
  const row = findMailbox(session.door.reader, foreign.owner, foreign.name);
  if (row === undefined) throw notThere();
  const now = rightsIn(session, keyOf(row));
  requireRights(now, ['l', ...needed]);
  return { ...foreign, rightsAt: now.at };
}

/**
 * The same for a mailbox that is to be. Throws `denied` for one of others', unless there is a mailbox above it that has the
 * right `k`.
 */
export function newNamedPlace(session: Namer, name: string): NamedPlace {
  const canonical = newMailboxName(name);
  const [first] = canonical.split(SEPARATOR);
  if (first !== USERS && first !== LISTS) return { owner: session.owner, name: canonical };
  const refused = new Failure('denied', 'You have no right to make mailboxes there');
  let foreign: MailboxName | undefined;
  try {
    foreign = foreignPlace(session, canonical)!;
  } catch {
    throw refused;
  }
  for (let end = foreign.name.lastIndexOf(SEPARATOR); ; end = foreign.name.lastIndexOf(SEPARATOR, end - 1)) {
    // The topmost mailboxes of others are made by who may do so in their INBOX, of which they have the name.
    const above = findMailbox(session.door.reader, foreign.owner, end > 0 ? foreign.name.slice(0, end) : 'INBOX');
    if (above === undefined && end > 0) continue;
    const now = above && rightsIn(session, keyOf(above));
    if (now?.rights.includes('k') !== true) throw refused;
    return { ...foreign, rightsAt: now.at };
  }
}

/** Undefined when there is none, or none to be seen; the caller looks at `selectable`. Throws `denied` where a right is missing. */
export function findNamed(session: Namer, name: string, ...needed: readonly MailboxRight[]): Mailbox | undefined {
  try {
    const { owner, name: canonical } = namedPlace(session, name, ...needed);
    return findMailbox(session.door.reader, owner, canonical);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not-found') return undefined;
    throw error;
  }
}

function keyOf({ owner, id }: Mailbox): MailboxKey {
  return { owner, mailbox: id };
}

/** What the account may hold that a place is in. */
export function quotaThere({ reader, quota, door }: Namer, { owner }: MailboxName): { readonly quota?: Quota } {
  const there = owner === reader ? quota : door.rights.parties.byAccount(owner)?.quota;
  return there === undefined ? {} : { quota: there };
}

/** What others' mailboxes are called here, by these names; only those with the right `l`. */
export function othersMailboxes(session: Namer): Map<string, Mailbox> {
  const { reader, rights } = session.door;
  const prefixes = new Map<AccountId, string | undefined>();
  const prefixOf = (owner: AccountId): string | undefined => {
    if (!prefixes.has(owner)) prefixes.set(owner, prefixOfParty(rights.parties.byAccount(owner)));
    return prefixes.get(owner);
  };
  const found = new Map<string, Mailbox>();
  const show = (mailbox: Mailbox | undefined): void => {
    const prefix = mailbox && prefixOf(mailbox.owner);
    if (prefix === undefined || !rightsIn(session, keyOf(mailbox!)).rights.includes('l')) return;
    found.set(mailbox!.name === 'INBOX' ? prefix : prefix + SEPARATOR + mailbox!.name, mailbox!);
  };
  for (const key of rights.givenTo(session.reader)) show(findMailboxById(reader, key));
  for (const list of rights.listsOf(session.reader))
    if (list.account !== session.reader) for (const mailbox of listMailboxes(reader, list.account!)) show(mailbox);
  return found;
}

/** Undefined: it has no name that a mailbox could have. */
function prefixOfParty(party: Party | undefined): string | undefined {
  const address = party?.address;
  if (address === undefined || /[/%*]/.test(address)) return undefined;
  return `${party!.isList ? LISTS : USERS}${SEPARATOR}${address}`;
}

/** What a place is called here, where a command has called it `name`. */
export function shownName({ owner }: Namer, place: MailboxName, name: string): string {
  return place.owner === owner ? place.name : canonicalMailboxName(name);
}

/** As octets in latin1: UTF-8 for who has enabled that, else modified UTF-7. RFC 6855 §3 */
export function spelledFor({ enabled }: Pick<ImapConversation, 'enabled'>, name: string): string {
  return namesAreUtf8(enabled) ? encodeUtf8Name(name) : encodeMailboxName(name);
}
/** Also in commands. */
export function namesAreUtf8(enabled: ReadonlySet<EnableName>): boolean {
  return enabled.has('UTF8=ACCEPT') || enabled.has('IMAP4REV2');
}
