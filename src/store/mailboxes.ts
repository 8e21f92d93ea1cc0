// Mailboxes of an account: list, status, create, delete, rename, subscribe. RFC 3501 §6.3
//
// Names are Unicode with `/` between levels; INBOX in any case is `INBOX`. The doors decode modified UTF-7.
// A mailbox that was deleted while it had children stays as a name that cannot be selected. RFC 3501 §6.3.4

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId, type Modseq, type Uid } from '../base/ids.ts';
import { COPY_MESSAGES_MAX } from '../base/limits.ts';
import { operation, type Reader, type Row, type Transaction, type Value } from '../database/operation.ts';
import { createMailboxRow, INBOX, nextModseq } from './accounts.ts';
import { checkRightsRevision, dropAcl, inheritAcl } from './acl.ts';
import type { MailboxKey } from './mailbox-key.ts';
import { dropUrlKeysIn } from './url-keys.ts';

export interface Mailbox {
  readonly owner: AccountId;
  readonly id: MailboxId;
  readonly name: string;
  readonly uidValidity: number;
  readonly uidNext: Uid;
  readonly modseq: Modseq;
  readonly messages: number;
  readonly unseen: number;
  readonly bytes: number;
  /** From this UID on, no session has claimed messages as recent. */
  readonly recentFrom: Uid;
  readonly selectable: boolean;
  /** `\Sent` and the like, RFC 6154; several with a blank between. */
  readonly specialUse: string | undefined;
}

export const SEPARATOR = '/';
/** What names of other people's mailboxes begin with: no mailbox of one's own has such a name. */
export const FOREIGN_NAMES = ['Other Users', 'Shared'] as const;
/** Characters of a full name, levels of it, mailboxes of an account. */
export const MAILBOX_NAME_MAX = 500;
const MAILBOX_DEPTH_MAX = 30;
export const MAILBOXES_MAX = 10_000;

/** Usual names -> attribute. RFC 6154 §2 */
const usualNames: Readonly<Record<string, string>> = {
  drafts: '\\Drafts',
  sent: '\\Sent',
  'sent items': '\\Sent',
  'sent messages': '\\Sent',
  trash: '\\Trash',
  'deleted items': '\\Trash',
  'deleted messages': '\\Trash',
  junk: '\\Junk',
  spam: '\\Junk',
  'junk e-mail': '\\Junk',
  archive: '\\Archive',
  archives: '\\Archive',
};

/** What a mailbox may be made for. */
export const specialUses = ['\\Archive', '\\Drafts', '\\Junk', '\\Sent', '\\Trash'] as const;

function specialUseOf(name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.hasOwn(usualNames, lower) ? usualNames[lower] : undefined;
}

/** The name as it is stored, or a `invalid` Failure that says what is wrong with it. */
export function canonicalMailboxName(name: string): string {
  const parts = name.split(SEPARATOR);
  if (parts[0]!.toUpperCase() === 'INBOX') parts[0] = 'INBOX';
  if (name.length > MAILBOX_NAME_MAX) throw new Failure('invalid', 'The mailbox name is too long');
  if (parts.length > MAILBOX_DEPTH_MAX) throw new Failure('invalid', 'The mailbox name has too many levels');
  for (const part of parts) {
    if (part === '') throw new Failure('invalid', 'A level of the mailbox name is empty');
    for (let i = 0; i < part.length; i++) {
      const code = part.charCodeAt(i);
      if (code < 0x20 || code === 0x7f) throw new Failure('invalid', 'The mailbox name has control characters');
      if (code === 0x25 || code === 0x2a)
        throw new Failure('invalid', 'A mailbox name cannot hold the wildcards % and *');
    }
  }
  return parts.join(SEPARATOR);
}

/** As canonicalMailboxName, for a mailbox that is to be: no level is `.` or `..`, which clients take for places on their disk. */
export function newMailboxName(name: string): string {
  const canonical = canonicalMailboxName(name);
  for (const part of canonical.split(SEPARATOR))
    if (part === '.' || part === '..') throw new Failure('invalid', 'A level of the mailbox name is . or ..');
  // What is printed as nothing, or as an end of the line. RFC 6855 §3
  for (let i = 0; i < canonical.length; i++) {
    const code = canonical.charCodeAt(i);
    if ((code >= 0x80 && code <= 0x9f) || code === 0x2028 || code === 0x2029)
      throw new Failure('invalid', 'The mailbox name has control characters');
  }
  return canonical;
}

function toMailbox(row: Row): Mailbox {
  const specialUse = row['special_use'];
  return {
    owner: idOf(row['account']),
    id: idOf(row['id']),
    name: String(row['name']),
    uidValidity: Number(row['uidvalidity']),
    uidNext: idOf(row['uidnext']),
    modseq: idOf(row['modseq']),
    messages: Number(row['messages']),
    unseen: Number(row['unseen']),
    bytes: Number(row['bytes']),
    recentFrom: idOf(row['recent_from']),
    selectable: row['selectable'] === 1,
    specialUse: typeof specialUse === 'string' ? specialUse : undefined,
  };
}

const BY_NAME = 'SELECT * FROM mailbox WHERE account = ? AND name = ?';

/** By canonical name. Undefined when there is none; the caller looks at `selectable`. */
export function findMailbox(reader: Reader, owner: AccountId, name: string): Mailbox | undefined {
  const row = reader.get(BY_NAME, owner, name);
  return row === undefined ? undefined : toMailbox(row);
}

export function findMailboxById(reader: Reader, { owner, mailbox }: MailboxKey): Mailbox | undefined {
  const row = reader.get('SELECT * FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  return row === undefined ? undefined : toMailbox(row);
}

/** All of an account by name, at most MAILBOXES_MAX. */
export function listMailboxes(reader: Reader, owner: AccountId): Mailbox[] {
  return reader
    .all('SELECT * FROM mailbox WHERE account = ? ORDER BY name LIMIT +?', owner, MAILBOXES_MAX)
    .map(toMailbox);
}

export function countMailboxes(reader: Reader, owner: AccountId): number {
  return Number(reader.get('SELECT count(*) AS n FROM mailbox WHERE account = ?', owner)?.['n']);
}

/** Subscribed names, whether or not a mailbox of that name exists. RFC 3501 §6.3.6 */
export function listSubscriptions(reader: Reader, subscriber: AccountId): string[] {
  return reader
    .arrays('SELECT name FROM subscription WHERE account = ? ORDER BY name LIMIT +?', subscriber, MAILBOXES_MAX)
    .map((row) => String(row[0]));
}

/** Keywords used in a mailbox, for SELECT's FLAGS. */
export function listKeywords(reader: Reader, { owner, mailbox }: MailboxKey): string[] {
  return reader
    .arrays('SELECT name FROM keyword WHERE account = ? AND mailbox = ? ORDER BY name', owner, mailbox)
    .map((row) => String(row[0]));
}

/** The mailbox of exactly this name, else the first one of it in another case. Undefined, too, for what is no name. */
export async function mailboxLikeIn(
  tx: Pick<Transaction, 'arrays'>,
  owner: AccountId,
  name: string,
): Promise<Pick<Mailbox, 'id' | 'name' | 'selectable'> | undefined> {
  let canonical: string;
  try {
    canonical = canonicalMailboxName(name);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
  const [exact] = await tx.arrays(
    'SELECT id, name, selectable FROM mailbox WHERE account = ? AND name = ?',
    owner,
    canonical,
  );
  const row = exact ?? (await inAnotherCase(tx, owner, canonical));
  return row && { id: idOf(row[0]), name: String(row[1]), selectable: row[2] === 1 };
}

async function inAnotherCase(
  tx: Pick<Transaction, 'arrays'>,
  owner: AccountId,
  name: string,
): Promise<Value[] | undefined> {
  const lower = name.toLowerCase();
  const all = await tx.arrays(
    'SELECT id, name, selectable FROM mailbox WHERE account = ? ORDER BY name LIMIT +?',
    owner,
    MAILBOXES_MAX,
  );
  return all.find((row) => String(row[1]).toLowerCase() === lower);
}

/** The selectable mailbox of this name in a transaction, or `not-found`. */
export async function getSelectable(tx: Transaction, owner: AccountId, name: string): Promise<Mailbox> {
  const row = await tx.get(BY_NAME, owner, name);
  if (row === undefined || row['selectable'] !== 1) throw new Failure('not-found', 'No such mailbox');
  return toMailbox(row);
}

export interface MailboxName {
  readonly owner: AccountId;
  /** Canonical. */
  readonly name: string;
}

/** Where it is not the owner who asks: at which revision that one had the right to (acl.ts). */
interface ByRight {
  readonly rightsAt?: number;
}

async function ensureParents(tx: Transaction, owner: AccountId, name: string): Promise<void> {
  const parts = name.split(SEPARATOR);
  for (let level = 1; level < parts.length; level++) {
    const parent = parts.slice(0, level).join(SEPARATOR);
    if ((await tx.get(BY_NAME, owner, parent)) === undefined)
      await addMailbox(tx, owner, parent, createOptions(parent));
  }
}

/** With the list of the mailbox above it. */
async function addMailbox(
  tx: Transaction,
  owner: AccountId,
  name: string,
  options: Parameters<typeof createMailboxRow>[3],
): ReturnType<typeof createMailboxRow> {
  const made = await createMailboxRow(tx, owner, name, options);
  const end = name.lastIndexOf(SEPARATOR);
  if (end > 0) await inheritAcl(tx, { owner, mailbox: made.mailbox }, name.slice(0, end));
  return made;
}

/** Where it is not there yet, with the levels above it. */
export async function makeMailbox(tx: Transaction, { owner, name }: MailboxName): Promise<void> {
  if ((await tx.get(BY_NAME, owner, name)) !== undefined) return;
  await ensureParents(tx, owner, name);
  await addMailbox(tx, owner, name, createOptions(name));
}

/** What an operation has added must not be more than an account may have; else it is undone. */
async function checkCount(tx: Transaction, owner: AccountId): Promise<void> {
  const row = await tx.get('SELECT count(*) AS n FROM mailbox WHERE account = ?', owner);
  if (Number(row?.['n']) > MAILBOXES_MAX) throw new Failure('too-many', 'Too many mailboxes');
}

/** Below a longer name there may be names that no command could say any more. */
async function checkBelow(tx: Transaction, owner: AccountId, from: string, to: string): Promise<void> {
  const rows = await tx.arrays(
    'SELECT name FROM mailbox WHERE account = ? AND name > ? AND name < ?',
    owner,
    `${from}${SEPARATOR}`,
    `${from}0`,
  );
  for (const [name] of rows) canonicalMailboxName(to + String(name).slice(from.length));
}

function createOptions(name: string): { selectable: true; specialUse?: string } {
  const specialUse = specialUseOf(name);
  return specialUse === undefined ? { selectable: true } : { selectable: true, specialUse };
}

export interface CreateArguments extends MailboxName, ByRight {
  /** Of `specialUses`; where nothing is said, the name may say it. */
  readonly uses?: readonly string[];
}

function usedFor(uses: readonly string[]): { selectable: true; specialUse: string } {
  return { selectable: true, specialUse: [...new Set(uses)].join(' ') };
}

/** Makes the levels above too. A name without a mailbox behind it comes to life again. */
export const createMailbox = operation('store.createMailbox', async (tx, args: CreateArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const { owner, name, uses } = args;
  const existing = await tx.get(BY_NAME, owner, name);
  if (existing !== undefined) {
    if (existing['selectable'] === 1) throw new Failure('exists', 'The mailbox exists already');
    await tx.run('DELETE FROM mailbox WHERE account = ? AND id = ?', owner, Number(existing['id']));
  }
  await ensureParents(tx, owner, name);
  const options = uses === undefined || uses.length === 0 ? createOptions(name) : usedFor(uses);
  const made = await addMailbox(tx, owner, name, options);
  // For who names it `Other Users/ADDRESS/NAME`, INBOX stands above it.
  const isTopmost = args.rightsAt !== undefined && !name.includes(SEPARATOR);
  if (isTopmost) await inheritAcl(tx, { owner, mailbox: made.mailbox }, 'INBOX');
  await checkCount(tx, owner);
  tx.afterCommit({ kind: 'mailboxes', account: owner });
  return made;
});

export const deleteMailbox = operation('store.deleteMailbox', async (tx, args: MailboxName & ByRight) => {
  await checkRightsRevision(tx, args.rightsAt);
  const { owner, name } = args;
  const row = await tx.get(BY_NAME, owner, name);
  if (row === undefined) throw new Failure('not-found', 'No such mailbox');
  const mailbox = toMailbox(row);
  if (mailbox.id === INBOX) throw new Failure('denied', 'INBOX cannot be deleted');
  const children = await tx.get(
    'SELECT 1 AS found FROM mailbox WHERE account = ? AND name > ? AND name < ? LIMIT 1',
    owner,
    `${name}${SEPARATOR}`,
    `${name}0`, // "0" is the character after "/"
  );
  if (children !== undefined && !mailbox.selectable)
    throw new Failure('not-empty', 'The name has mailboxes below it and none behind it');
  await tx.run('DELETE FROM mailbox WHERE account = ? AND id = ?', owner, mailbox.id);
  // A mailbox of a million messages must not hold up the writer: collect.ts takes its rows away in slices.
  await tx.run('INSERT INTO doomed_mailbox (account, mailbox) VALUES (?, ?)', owner, mailbox.id);
  await dropAcl(tx, { owner, mailbox: mailbox.id });
  await dropUrlKeysIn(tx, { owner, mailbox: mailbox.id });
  // A new row, so that a session that has the old mailbox selected sees that it is gone.
  if (children !== undefined) await createMailboxRow(tx, owner, name, { selectable: false });
  tx.afterCommit({ kind: 'mailboxes', account: owner });
});

export interface RenameArguments extends ByRight {
  readonly owner: AccountId;
  readonly from: string;
  readonly to: string;
}

/** Renames the mailbox and all below it. INBOX stays, and what is in it moves to the new name. RFC 3501 §6.3.5 */
export const renameMailbox = operation('store.renameMailbox', async (tx, args: RenameArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const { owner, from, to } = args;
  const row = await tx.get(BY_NAME, owner, from);
  if (row === undefined) throw new Failure('not-found', 'No such mailbox');
  if ((await tx.get(BY_NAME, owner, to)) !== undefined) throw new Failure('exists', 'The mailbox exists already');
  const mailbox = toMailbox(row);
  if (mailbox.id === INBOX) {
    await ensureParents(tx, owner, to);
    await moveInbox(tx, mailbox, to);
  } else {
    if (to.startsWith(from + SEPARATOR)) throw new Failure('invalid', 'A mailbox cannot move below itself');
    await checkBelow(tx, owner, from, to);
    await ensureParents(tx, owner, to);
    await tx.run(
      `UPDATE mailbox SET name = ? || substr(name, length(?) + 1)
       WHERE account = ? AND (name = ? OR (name > ? AND name < ?))`,
      to,
      from,
      owner,
      from,
      `${from}${SEPARATOR}`,
      `${from}0`,
    );
    // What it was made for stays; what the old name alone said goes with it.
    if (mailbox.specialUse === specialUseOf(from))
      await tx.run(
        'UPDATE mailbox SET special_use = ? WHERE account = ? AND id = ?',
        specialUseOf(to) ?? null,
        owner,
        mailbox.id,
      );
  }
  await checkCount(tx, owner);
  tx.afterCommit({ kind: 'mailboxes', account: owner });
});

/** All messages of INBOX get new UIDs in a new mailbox; INBOX is empty and goes on counting. */
async function moveInbox(tx: Transaction, inbox: Mailbox, to: string): Promise<void> {
  const { owner } = inbox;
  if (inbox.messages > COPY_MESSAGES_MAX)
    throw new Failure('too-many', `At most ${COPY_MESSAGES_MAX} messages can be moved at once`);
  const { mailbox } = await addMailbox(tx, owner, to, createOptions(to));
  const modseq = await nextModseq(tx);
  await tx.run(
    `INSERT INTO vanished (account, mailbox, modseq, uid)
     SELECT account, mailbox, ?, uid FROM mailbox_message WHERE account = ? AND mailbox = ?`,
    modseq,
    owner,
    INBOX,
  );
  await tx.run(
    'UPDATE mailbox_message SET mailbox = ?, modseq = ?, touched = 0 WHERE account = ? AND mailbox = ?',
    mailbox,
    modseq,
    owner,
    INBOX,
  );
  for (const table of ['reader_status', 'reader_mailbox'])
    await tx.run(`UPDATE ${table} SET mailbox = ? WHERE owner = ? AND mailbox = ?`, mailbox, owner, INBOX);
  await tx.run(
    'INSERT OR IGNORE INTO keyword SELECT account, ?, name FROM keyword WHERE account = ? AND mailbox = ?',
    mailbox,
    owner,
    INBOX,
  );
  await tx.run(
    `UPDATE mailbox SET uidnext = ?, modseq = ?, messages = ?, unseen = ?, bytes = ?, recent_from = ?
     WHERE account = ? AND id = ?`,
    inbox.uidNext,
    modseq,
    inbox.messages,
    inbox.unseen,
    inbox.bytes,
    inbox.recentFrom,
    owner,
    mailbox,
  );
  await tx.run(
    'UPDATE mailbox SET modseq = ?, messages = 0, unseen = 0, bytes = 0 WHERE account = ? AND id = ?',
    modseq,
    owner,
    INBOX,
  );
}

/** The name need not exist: a client may subscribe before it comes. */
export const subscribe = operation('store.subscribe', async (tx, { owner, name }: MailboxName) => {
  const count = await tx.get('SELECT count(*) AS n FROM subscription WHERE account = ?', owner);
  if (Number(count?.['n']) >= MAILBOXES_MAX) throw new Failure('too-many', 'Too many subscriptions');
  await tx.run('INSERT OR IGNORE INTO subscription (account, name) VALUES (?, ?)', owner, name);
  tx.afterCommit({ kind: 'mailboxes', account: owner });
});

export const unsubscribe = operation('store.unsubscribe', async (tx, { owner, name }: MailboxName) => {
  const removed = await tx.run('DELETE FROM subscription WHERE account = ? AND name = ?', owner, name);
  if (removed === 0) throw new Failure('not-found', 'No such subscription');
  tx.afterCommit({ kind: 'mailboxes', account: owner });
});

/**
 * Makes the caller the one session in which the new messages are recent. Gives the first such UID; messages below it are
 * recent in others. RFC 3501 §2.3.2
 */
export const claimRecent = operation('store.claimRecent', async (tx, { owner, mailbox }: MailboxKey) => {
  const row = await tx.get('SELECT recent_from, uidnext FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (row === undefined) throw new Failure('not-found', 'No such mailbox');
  await tx.run('UPDATE mailbox SET recent_from = uidnext WHERE account = ? AND id = ?', owner, mailbox);
  return { from: idOf<Uid>(row['recent_from']), to: idOf<Uid>(row['uidnext']) };
});
