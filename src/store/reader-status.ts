// The flags that a reader has in a mailbox of another's: own ones, in rows for messages that this reader has changed.
//
// In      an access whose reader is not the owner; messages as their mailbox has them
// Out     the same messages as this reader has them; changes of what the reader has set; counters
// Base    without a row nothing is set; in a list's mailbox a message has then the folder's own flags. \Deleted is the folder's
//         always: an expunge removes for all readers
// Rows    reader_status, and reader_mailbox with the count of \Seen in them. What is expunged takes them along (tables.ts)
// Common  a mailbox whose readers share one status has none of this: the folder's own flags are everybody's
// RFC 4314 §4, RFC 5464

import { type AccountId, idOf, type Modseq, type Uid } from '../base/ids.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { checkKeywords, DELETED, type FlagSet, keywordsColumn, parseKeywords, SEEN } from './flags.ts';
import type { MailboxAccess, MailboxKey, UidRange } from './mailbox-key.ts';
import type { MessageFlags } from './messages.ts';

/** Whether the folder's own flags are not the reader's. */
export function hasOwnStatus({ owner, reader, status }: MailboxAccess): boolean {
  return owner !== reader && status !== 'common';
}

/** What one who has the folder's row and no other of this reader's sees. */
function baseOf({ status }: MailboxAccess, folder: FlagSet): FlagSet {
  return status === 'beginning' ? folder : { flags: folder.flags & DELETED, keywords: [] };
}

const OF_RANGE = `SELECT uid, flags, keywords, modseq FROM reader_status
  WHERE owner = ? AND mailbox = ? AND reader = ? AND uid BETWEEN ? AND ? ORDER BY uid`;

const OF_UIDS = `SELECT s.uid, s.flags, s.keywords, s.modseq FROM json_each(?) j
  CROSS JOIN reader_status s ON s.owner = ? AND s.mailbox = ? AND s.reader = ? AND s.uid = j.value ORDER BY s.uid`;
const SPARSE = 4;

/** Messages in ascending order as the reader has them. */
export function asReaderHas<T extends MessageFlags>(reader: Reader, access: MailboxAccess, messages: T[]): T[] {
  if (messages.length === 0 || !hasOwnStatus(access)) return messages;
  const [first, last] = [messages[0]!.uid, messages[messages.length - 1]!.uid];
  const key = [access.owner, access.mailbox, access.reader];
  // Between messages that lie far apart there may be many others that the reader has set something of.
  const rows =
    last - first < SPARSE * messages.length
      ? reader.arrays(OF_RANGE, ...key, first, last)
      : reader.arrays(OF_UIDS, JSON.stringify(messages.map(({ uid }) => uid)), ...key);
  return withStatus(access, messages, rows);
}

async function asReaderHasIn<T extends MessageFlags>(
  tx: Transaction,
  access: MailboxAccess,
  messages: T[],
): Promise<T[]> {
  if (messages.length === 0) return messages;
  const range = [messages[0]!.uid, messages[messages.length - 1]!.uid];
  const rows = await tx.arrays(OF_RANGE, access.owner, access.mailbox, access.reader, ...range);
  return withStatus(access, messages, rows);
}

function withStatus<T extends MessageFlags>(
  access: MailboxAccess,
  messages: readonly T[],
  rows: readonly (readonly Value[])[],
): T[] {
  let at = 0;
  return messages.map((message) => {
    while (at < rows.length && (rows[at]![0] as number) < message.uid) at++;
    const row = rows[at];
    if (row === undefined || row[0] !== message.uid) return { ...message, ...baseOf(access, message) };
    return {
      ...message,
      flags: (message.flags & DELETED) | (Number(row[1]) & ~DELETED),
      keywords: parseKeywords(row[2]),
      modseq: idOf<Modseq>(Math.max(message.modseq, Number(row[3]))),
    };
  });
}

/** The last change of what this reader has set; 0 where there is none. */
export function readerModseq(reader: Reader, access: MailboxAccess): number {
  if (!hasOwnStatus(access)) return 0;
  const { owner, mailbox } = access;
  const sql = 'SELECT modseq FROM reader_mailbox WHERE owner = ? AND mailbox = ? AND reader = ?';
  return Number(reader.arrays(sql, owner, mailbox, access.reader)[0]?.[0] ?? 0);
}

/** Who has set flags of the own in a mailbox, with the modseq of the last change; at most `limit`, by account. */
export function listReaders(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  limit: number,
): { readonly reader: AccountId; readonly modseq: Modseq }[] {
  return reader
    .arrays(
      'SELECT reader, modseq FROM reader_mailbox WHERE owner = ? AND mailbox = ? ORDER BY reader LIMIT +?',
      owner,
      mailbox,
      limit,
    )
    .map(([account, modseq]) => ({ reader: idOf(account), modseq: idOf(modseq) }));
}

/** Messages without \Seen, as the reader has them; `mailbox` is the folder's row. */
export function readerUnseen(
  reader: Reader,
  access: MailboxAccess,
  mailbox: { readonly messages: number; readonly unseen: number },
): number {
  if (!hasOwnStatus(access)) return mailbox.unseen;
  const key = [access.owner, access.mailbox, access.reader];
  if (access.status === 'beginning') {
    const sql = `SELECT coalesce(sum((m.flags & ${SEEN}) - (s.flags & ${SEEN})), 0) FROM reader_status s JOIN mailbox_message m
      ON m.account = s.owner AND m.mailbox = s.mailbox AND m.uid = s.uid WHERE s.owner = ? AND s.mailbox = ? AND s.reader = ?`;
    return mailbox.unseen + Number(reader.arrays(sql, ...key)[0]![0]);
  }
  const sql = 'SELECT seen FROM reader_mailbox WHERE owner = ? AND mailbox = ? AND reader = ?';
  return mailbox.messages - Number(reader.arrays(sql, ...key)[0]?.[0] ?? 0);
}

/** Modseqs in a mailbox above one, of what this reader has set; the one behind so many, Infinity when there are not so many. */
export function readerPartEnd(reader: Reader, access: MailboxAccess, since: Modseq, count: number): number {
  if (!hasOwnStatus(access)) return Number.POSITIVE_INFINITY;
  const sql = `SELECT modseq FROM reader_status WHERE owner = ? AND mailbox = ? AND reader = ? AND modseq > ?
    ORDER BY modseq LIMIT 1 OFFSET ${count}`;
  const row = reader.arrays(sql, access.owner, access.mailbox, access.reader, since)[0];
  return row === undefined ? Number.POSITIVE_INFINITY : Number(row[0]);
}

/**
 * As changedBetween (changes.ts) for a reader with a status of the own: what counts for a message is the later change, of the folder
 * or of this reader.
 */
export function changedForReader(
  reader: Reader,
  access: MailboxAccess,
  after: { readonly modseq: number; readonly uid: number },
  { to, below, limit }: { readonly to: Modseq; readonly below: Uid; readonly limit: number },
): MessageFlags[] {
  const { owner, mailbox } = access;
  const rows = reader.arrays(
    `SELECT m.uid, m.flags, m.keywords, m.modseq, m.modseq AS at FROM mailbox_message m
     WHERE m.account = ?1 AND m.mailbox = ?2 AND m.touched = 1 AND (m.modseq, m.uid) > (?4, ?5) AND m.modseq <= ?6 AND m.uid < ?7
       AND NOT EXISTS (SELECT 1 FROM reader_status s WHERE s.owner = ?1 AND s.mailbox = ?2 AND s.reader = ?3 AND s.uid = m.uid
         AND s.modseq >= m.modseq)
     UNION ALL
     SELECT m.uid, m.flags, m.keywords, m.modseq, s.modseq FROM reader_status s JOIN mailbox_message m
       ON m.account = s.owner AND m.mailbox = s.mailbox AND m.uid = s.uid
     WHERE s.owner = ?1 AND s.mailbox = ?2 AND s.reader = ?3 AND (s.modseq, s.uid) > (?4, ?5) AND s.modseq <= ?6 AND s.uid < ?7
       AND NOT (m.touched = 1 AND m.modseq > s.modseq)
     ORDER BY at, uid LIMIT +?8`,
    ...[owner, mailbox, access.reader, after.modseq, after.uid, to, below, limit],
  );
  const ascending = rows.map(folderFlags).sort((a, b) => a.uid - b.uid);
  return asReaderHas(reader, access, ascending).sort((a, b) => a.modseq - b.modseq || a.uid - b.uid);
}

/** As the folder has them: messages whose status this reader has changed above `since` and up to `to`, ascending. */
export function changedByReader(reader: Reader, access: MailboxAccess, since: Modseq, to: Modseq): Value[][] {
  if (!hasOwnStatus(access)) return [];
  return reader.arrays(
    `SELECT m.uid, m.flags, m.keywords, m.modseq FROM reader_status s JOIN mailbox_message m
     ON m.account = s.owner AND m.mailbox = s.mailbox AND m.uid = s.uid
     WHERE s.owner = ? AND s.mailbox = ? AND s.reader = ? AND s.modseq > ? AND s.modseq <= ? ORDER BY m.uid`,
    access.owner,
    access.mailbox,
    access.reader,
    since,
    to,
  );
}

const FOLDER_ROWS =
  'SELECT uid, flags, keywords, modseq FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid';

/** All of a change but \Deleted is written; false: there was nothing else. The caller counts by countReader. */
export async function changeReaderStatus(
  tx: Transaction,
  access: MailboxAccess,
  { before, after, modseq }: { readonly before: MessageFlags; readonly after: FlagSet; readonly modseq: Modseq },
): Promise<boolean> {
  const isSame =
    (after.flags & ~DELETED) === (before.flags & ~DELETED) &&
    keywordsColumn(after.keywords) === keywordsColumn(before.keywords);
  if (isSame) return false;
  if (after.keywords.length > before.keywords.length) checkKeywords(after.keywords);
  await writeStatus(tx, access, { ...after, uid: before.uid }, modseq);
  return true;
}

function folderFlags(row: readonly Value[]): MessageFlags {
  return { uid: idOf(row[0]), flags: Number(row[1]), keywords: parseKeywords(row[2]), modseq: idOf(row[3]) };
}

async function writeStatus(
  tx: Transaction,
  { owner, mailbox, reader }: MailboxAccess,
  { uid, flags, keywords }: FlagSet & { readonly uid: Uid },
  modseq: Modseq,
): Promise<void> {
  await tx.run(
    `INSERT OR REPLACE INTO reader_status (owner, mailbox, reader, uid, flags, keywords, modseq)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    owner,
    mailbox,
    reader,
    uid,
    flags & ~DELETED,
    keywordsColumn(keywords),
    modseq,
  );
}

/** What has been written to the reader's rows with this modseq. */
export async function countReader(tx: Transaction, access: MailboxAccess, seen: number, modseq: Modseq): Promise<void> {
  const { owner, mailbox, reader } = access;
  await tx.run(
    `INSERT INTO reader_mailbox (owner, mailbox, reader, seen, modseq) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT DO UPDATE SET seen = seen + ?4, modseq = ?5`,
    owner,
    mailbox,
    reader,
    seen,
    modseq,
  );
}

/** A message that the reader has put into a mailbox of another's begins with these flags for this reader. */
export async function beginReaderStatus(
  tx: Transaction,
  access: MailboxAccess,
  message: FlagSet & { readonly uid: Uid },
  modseq: Modseq,
): Promise<void> {
  if ((message.flags & ~DELETED) === 0 && message.keywords.length === 0) return;
  await writeStatus(tx, access, message, modseq);
  await countReader(tx, access, message.flags & SEEN, modseq);
}

/** The messages of a range as a reader has them, in a transaction. */
export async function readerFlagsIn(tx: Transaction, access: MailboxAccess, range: UidRange): Promise<MessageFlags[]> {
  const rows = (await tx.arrays(FOLDER_ROWS, access.owner, access.mailbox, ...range)).map(folderFlags);
  return hasOwnStatus(access) ? asReaderHasIn(tx, access, rows) : rows;
}
