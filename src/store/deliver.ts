// One copy, many references: the rows that put a message into mailboxes. Called inside the operation that accepts it.
//
// Rows    one `message`; for each mailbox one `mailbox_message` and one update of `mailbox`: what bounds the writer is rows
// Order   the bytes are synced before the commit (segment.ts); the rows are committed together or not at all

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId, type MessageId, type Modseq, type Uid } from '../base/ids.ts';
import { MAILBOX_MESSAGES_MAX } from '../base/limits.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { INBOX, nextModseq } from './accounts.ts';
import { checkRightsRevision } from './acl.ts';
import { checkKeywords, DELETED, type FlagSet, keywordsColumn, MAILBOX_KEYWORDS_MAX, SEEN } from './flags.ts';
import type { MailboxAccess, MailboxKey } from './mailbox-key.ts';
import { getSelectable } from './mailboxes.ts';
import type { MessageRow } from './messages.ts';
import { checkRoom, type Quota } from './quota.ts';
import { beginReaderStatus, hasOwnStatus } from './reader-status.ts';
import { addDead } from './space.ts';

const APPENDED_KEY_BYTES = 8;
const NO_FLAGS: FlagSet = { flags: 0, keywords: [] };

/** The copy's row. `refs` is what the caller is about to refer to it with: mailboxes and queue rows. */
export async function insertMessage(tx: Transaction, message: MessageRow, refs: number): Promise<void> {
  const { blob } = message;
  if (blob.isUnsynced === true) tx.syncBeforeCommit(blob.segment);
  await tx.run(
    `INSERT INTO message (id, segment, offset, length, hash, codec, received, trace_bytes, header, structure, parser,
       bare_lf, refs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    message.id,
    blob.segment,
    blob.offset,
    blob.length,
    blob.hash,
    blob.codec,
    message.received,
    message.traceBytes,
    message.header,
    message.structure,
    message.parser,
    message.bareLineFeeds,
    refs,
  );
}

/** What `appended` finds a message by: few octets of its hash. */
function appendedKey(hash: Uint8Array): Uint8Array {
  return Uint8Array.from(hash.subarray(0, APPENDED_KEY_BYTES));
}

/**
 * A message that a client has brought, with one reference: to the copy that came so before, where one has the same bytes, and what was
 * written now is dead; else to its own. Gives whose it is. Delivered mail is not looked through: its trace fields differ.
 */
async function insertAppended(tx: Transaction, message: MessageRow): Promise<MessageId> {
  const { hash, length, segment } = message.blob;
  const key = appendedKey(hash);
  const [found] = await tx.arrays(
    `SELECT m.id FROM appended a JOIN message m ON m.id = a.message
     WHERE a.hash = ? AND m.hash = ? AND m.length = ? LIMIT 1`,
    key,
    hash,
    length,
  );
  if (found !== undefined) {
    const id = idOf<MessageId>(found[0]);
    await addReferences(tx, id, 1);
    await addDead(tx, segment, length);
    return id;
  }
  await insertMessage(tx, message, 1);
  await tx.run('INSERT INTO appended (hash, message) VALUES (?, ?)', key, message.id);
  return message.id;
}

/** One more reference to a copy that is there, say from the queue to a mailbox. */
export async function addReferences(tx: Transaction, message: MessageId, count: number): Promise<void> {
  await tx.run('UPDATE message SET refs = refs + ? WHERE id = ?', count, message);
}

/** Takes references away; with the last one the copy goes, and its bytes are dead. */
export async function dropReferences(tx: Transaction, message: MessageId, count: number): Promise<void> {
  const row = await tx.get('UPDATE message SET refs = refs - ? WHERE id = ? RETURNING refs', count, message);
  if (row?.['refs'] !== 0) return;
  const [gone] = await tx.arrays(
    'DELETE FROM message WHERE id = ? RETURNING segment, coalesce(stored, length), trace_bytes, hash',
    message,
  );
  const [segment, stored, traceBytes, hash] = gone!;
  await addDead(tx, idOf(segment), Number(stored));
  // What was delivered, or goes to another host, has a Return-Path line.
  if (traceBytes === 0)
    await tx.run('DELETE FROM appended WHERE hash = ? AND message = ?', appendedKey(hash as Uint8Array), message);
}

/** Where a copy is to be delivered. */
export interface DeliveryMailbox {
  readonly owner: AccountId;
  /** INBOX where nothing is said. */
  readonly mailbox?: MailboxId;
  /** System flags (flags.ts), none where nothing is said. */
  readonly flags?: number;
}

/** A reference in each mailbox; the caller counts them in `refs`. Gives whether each mailbox was there. */
export async function deliverToMailboxes(
  tx: Transaction,
  message: DeliveredMessage,
  into: readonly DeliveryMailbox[],
): Promise<boolean[]> {
  const modseq = await nextModseq(tx);
  const found: boolean[] = [];
  for (const { owner, mailbox = INBOX, flags } of into) {
    const set = flags === undefined ? NO_FLAGS : { flags, keywords: [] };
    const reference = { owner, mailbox, message, flags: set, internalDate: message.received, modseq };
    const isThere = (await addToMailbox(tx, reference)) !== undefined;
    found.push(isThere);
    if (isThere) tx.afterCommit({ kind: 'mailbox', account: owner, mailbox, modseq });
  }
  return found;
}

/** What a mailbox keeps of a copy. */
export type DeliveredMessage = Pick<MessageRow, 'id' | 'received'> & { readonly size: number };

interface NewReference extends MailboxKey {
  readonly message: DeliveredMessage;
  readonly flags: FlagSet;
  readonly internalDate: number;
  readonly modseq: Modseq;
}

// No RETURNING, and OR FAIL, because the row has a trigger: SQLite keeps no journal of the statement (accounts.ts), whose end walks
// through all that the operation has changed.
const COUNT_MESSAGE = `UPDATE OR FAIL mailbox
   SET uidnext = uidnext + 1, messages = messages + 1, unseen = unseen + ?, bytes = bytes + ?, modseq = ?
   WHERE account = ? AND id = ?`;

/** Gives the UID, undefined when there is no such mailbox. */
async function addToMailbox(tx: Transaction, reference: NewReference): Promise<Uid | undefined> {
  const { owner, mailbox, message, internalDate, modseq } = reference;
  const { flags, keywords } = reference.flags;
  const [row] = await tx.arrays('SELECT uidnext FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (row === undefined) return undefined;
  const uid = idOf<Uid>(row[0]);
  await tx.run(COUNT_MESSAGE, flags & SEEN ? 0 : 1, message.size, modseq, owner, mailbox);
  await tx.run(
    `INSERT INTO mailbox_message (account, mailbox, uid, message, flags, keywords, modseq, touched, internal_date, saved, size)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
    owner,
    mailbox,
    uid,
    message.id,
    flags,
    keywordsColumn(keywords),
    modseq,
    internalDate,
    message.received,
    message.size,
  );
  return uid;
}

/** Makes keywords known to their mailbox, for its FLAGS. */
export async function registerKeywords(
  tx: Transaction,
  { owner, mailbox }: MailboxKey,
  keywords: readonly string[],
): Promise<void> {
  for (const name of keywords)
    await tx.run('INSERT OR IGNORE INTO keyword (account, mailbox, name) VALUES (?, ?, ?)', owner, mailbox, name);
  if (keywords.length === 0) return;
  const row = await tx.get('SELECT count(*) AS n FROM keyword WHERE account = ? AND mailbox = ?', owner, mailbox);
  if (Number(row?.['n']) > MAILBOX_KEYWORDS_MAX) throw new Failure('too-many', 'Too many keywords in this mailbox');
}

/** A message that comes by itself, not by a delivery. */
export interface NewMessage {
  readonly message: MessageRow;
  readonly flags: FlagSet;
  readonly internalDate: number;
}

export interface AppendArguments {
  readonly owner: AccountId;
  /** Canonical. */
  readonly mailbox: string;
  /** One at least. */
  readonly messages: readonly NewMessage[];
  /** What the account may hold. */
  readonly quota?: Quota;
  /** Whose flags these are, where it is not the owner. */
  readonly by?: Pick<MailboxAccess, 'reader' | 'status'>;
  /** At which revision that one had the right to. */
  readonly rightsAt?: number;
}

/** APPEND: messages in one mailbox, with UIDs in a row. RFC 3501 §6.3.11, RFC 3502 */
export const append = operation('store.append', appendMessages);

/** The same within an operation. */
export async function appendMessages(
  tx: Transaction,
  { owner, messages, quota, ...args }: AppendArguments,
): Promise<{ readonly uidValidity: number; readonly firstUid: Uid }> {
  await checkRightsRevision(tx, args.rightsAt);
  for (const { flags } of messages) checkKeywords(flags.keywords);
  const mailbox = await getSelectable(tx, owner, args.mailbox);
  if (mailbox.messages + messages.length > MAILBOX_MESSAGES_MAX)
    throw new Failure('too-many', 'Too many messages in this mailbox');
  const octets = messages.reduce((sum, { message }) => sum + message.blob.length, 0);
  await checkRoom(tx, owner, quota, { octets, messages: messages.length });
  const key = { owner, mailbox: mailbox.id };
  const access = { ...key, reader: owner, ...args.by };
  const isOwn = !hasOwnStatus(access);
  if (isOwn) await registerKeywords(tx, key, [...new Set(messages.flatMap(({ flags }) => flags.keywords))]);
  const modseq = await nextModseq(tx);
  for (const { message, flags, internalDate } of messages) {
    const id = await insertAppended(tx, message);
    const delivered = { id, received: message.received, size: message.blob.length };
    const ofFolder = isOwn ? flags : { flags: flags.flags & DELETED, keywords: [] };
    const uid = await addToMailbox(tx, { ...key, message: delivered, flags: ofFolder, internalDate, modseq });
    if (!isOwn) await beginReaderStatus(tx, access, { ...flags, uid: uid! }, modseq);
  }
  tx.afterCommit({ kind: 'mailbox', account: owner, mailbox: mailbox.id, modseq });
  return { uidValidity: mailbox.uidValidity, firstUid: mailbox.uidNext };
}
