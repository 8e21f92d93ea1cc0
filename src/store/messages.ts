// Messages as sessions read them: numbers first, rows for those that are asked for, what has changed since.
//
// All of it from one reader; a caller that needs several answers of one state wraps them in `reader.snapshot`.
// Never   bytes: those are read from segments, see blobs.ts

import { Failure } from '../base/failure.ts';
import { idOf, type MessageId, type Modseq, type Uid } from '../base/ids.ts';
import type { Reader, Value } from '../database/operation.ts';
import { blobColumns, blobOf } from './blob-row.ts';
import { parseKeywords } from './flags.ts';
import type { MailboxAccess, MailboxKey, UidRange } from './mailbox-key.ts';
import { asReaderHas } from './reader-status.ts';
import type { Blob } from './segment.ts';

/** A copy's place and what was parsed of it, once for all mailboxes that refer to it. */
export interface MessageRow {
  readonly id: MessageId;
  readonly blob: Blob;
  /** When it was accepted, epoch ms. */
  readonly received: number;
  /** Bytes of the Return-Path line that we have put before everything else; never sent out again. */
  readonly traceBytes: number;
  /** What the header says, encoded by message/header-values.ts. */
  readonly header: string;
  /** Encoded by message/structure.ts. */
  readonly structure: string;
  /** Line feeds without a carriage return: POP3, which ends every line in CRLF, sends so many octets more. */
  readonly bareLineFeeds: number;
  /** The version of the parser that read these from the bytes. */
  readonly parser: number;
}

/** A message's flags without its content. */
export interface MessageFlags {
  readonly uid: Uid;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: Modseq;
}

/** What is to be known to send a whole message as it is: all but what was parsed of it. */
export interface WholeMessage extends MessageFlags, Pick<MailboxMessage, 'internalDate' | 'saved' | 'size' | 'blob'> {}

/** What a list of messages shows: all but the structure and the place of the bytes. */
export interface MessageSummary extends MessageFlags {
  readonly internalDate: number;
  /** When it came into this mailbox, epoch ms. */
  readonly saved: number;
  readonly size: number;
  /** As in MessageRow. */
  readonly header: string;
}

/** A message as one mailbox has it. */
export interface MailboxMessage extends MessageRow, MessageSummary {}

/** Rows of one page; a page stays well under 10 ms. */
export const PAGE_ROWS = 5000;

/** UIDs above `after` in ascending order, one page; ask again from the last one until fewer than PAGE_ROWS come. */
export function uidsAfter(reader: Reader, { owner, mailbox }: MailboxKey, after: Uid): Uid[] {
  return reader
    .arrays(
      'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid > ? ORDER BY uid LIMIT +?',
      owner,
      mailbox,
      after,
      PAGE_ROWS,
    )
    .map((row) => idOf(row[0]));
}

/** Flags of the messages with the highest UIDs, ascending, at most `limit`. */
export function newestFlags(reader: Reader, access: MailboxAccess, limit: number): MessageFlags[] {
  const rows = reader.arrays(
    `SELECT uid, flags, keywords, modseq FROM mailbox_message WHERE account = ? AND mailbox = ?
     ORDER BY uid DESC LIMIT +?`,
    access.owner,
    access.mailbox,
    limit,
  );
  return asReaderHas(reader, access, rows.map(messageFlags).reverse());
}

/** Flags of the messages in a range of UIDs, ascending, at most PAGE_ROWS: ask again from the last one. */
export function flagsBetween(reader: Reader, access: MailboxAccess, range: UidRange): MessageFlags[] {
  const rows = reader.arrays(
    `SELECT uid, flags, keywords, modseq FROM mailbox_message
     WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
    access.owner,
    access.mailbox,
    ...range,
    PAGE_ROWS,
  );
  return asReaderHas(reader, access, rows.map(messageFlags));
}

const COPY_COLUMNS = `${blobColumns('m.')},
  m.received, m.trace_bytes, m.header, m.structure, m.parser, m.bare_lf`;

/** System flags as a character of ASCII; one bit more says that there are keywords. */
const CHARACTER_BASE = 32;
const KEYWORDS_BIT = 32;

export function flagsOfCharacter(code: number): number {
  return (code - CHARACTER_BASE) & ~KEYWORDS_BIT;
}

export function hasKeywords(code: number): boolean {
  return ((code - CHARACTER_BASE) & KEYWORDS_BIT) !== 0;
}

/** Flags of all messages in a range of UIDs, in their order. */
interface FlagCharacters {
  readonly count: number;
  /** The highest; 0 without a message. */
  readonly modseq: Modseq;
  /** One a message. */
  readonly characters: string;
  /** Columns of keywords of those that have some. */
  readonly keywords: readonly string[];
}

/** The folder's own flags, put together by the engine: a third of the cost of flagsBetween. The caller bounds the range. */
export function flagCharacters(reader: Reader, { owner, mailbox }: MailboxKey, range: UidRange): FlagCharacters {
  const [count, modseq, characters, keywords] = reader.arrays(
    `SELECT count(*), max(modseq), group_concat(char(${CHARACTER_BASE} + flags + ${KEYWORDS_BIT} * (keywords IS NOT NULL)), ''),
       group_concat(keywords, char(10))
     FROM (SELECT modseq, flags, keywords FROM mailbox_message
           WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid)`,
    owner,
    mailbox,
    ...range,
  )[0]!;
  return {
    count: Number(count),
    modseq: idOf(modseq ?? 0),
    characters: String(characters ?? ''),
    keywords: typeof keywords === 'string' ? keywords.split('\n') : [],
  };
}

const MAILBOX_COLUMNS = 'r.uid, r.flags, r.keywords, r.modseq, r.internal_date, r.saved, r.size';
const MESSAGE_COLUMNS = `${MAILBOX_COLUMNS}, ${COPY_COLUMNS}`;

/** The columns of a mailbox's own row. */
function asMailboxHas(row: readonly Value[]): MessageFlags & Pick<MailboxMessage, 'internalDate' | 'saved' | 'size'> {
  return {
    ...messageFlags(row),
    internalDate: Number(row[4]),
    saved: Number(row[5]),
    size: Number(row[6]),
  };
}

function mailboxMessage(row: readonly Value[]): MailboxMessage {
  return { ...asMailboxHas(row), ...messageRow(row, 7) };
}

/** Of the mailbox's row (`r`) and its message's (`m`), for a range of UIDs, ascending, at most `limit`. */
function rowsBetween(
  reader: Reader,
  columns: string,
  { owner, mailbox }: MailboxKey,
  range: UidRange,
  limit: number,
): Value[][] {
  return reader.arrays(
    `SELECT ${columns} FROM mailbox_message r JOIN message m ON m.id = r.message
     WHERE r.account = ? AND r.mailbox = ? AND r.uid BETWEEN ? AND ? ORDER BY r.uid LIMIT +?`,
    owner,
    mailbox,
    ...range,
    limit,
  );
}

/** The columns of a message from `first` on. */
function messageRow(row: readonly Value[], first: number): MessageRow {
  return {
    id: idOf(row[first]),
    blob: blobOf(row, first),
    received: Number(row[first + 7]),
    traceBytes: Number(row[first + 8]),
    header: String(row[first + 9]),
    structure: String(row[first + 10]),
    parser: Number(row[first + 11]),
    bareLineFeeds: Number(row[first + 12]),
  };
}

/** The columns uid, flags, keywords and modseq. */
export function messageFlags(row: readonly Value[]): MessageFlags {
  return {
    uid: idOf(row[0]),
    flags: Number(row[1]),
    keywords: parseKeywords(row[2]),
    modseq: idOf(row[3]),
  };
}

/** Messages in a range of UIDs, ascending, at most `limit`: ask again from the last one. */
export function messagesBetween(
  reader: Reader,
  access: MailboxAccess,
  range: UidRange,
  limit: number,
): MailboxMessage[] {
  const rows = rowsBetween(reader, MESSAGE_COLUMNS, access, range, limit);
  return asReaderHas(reader, access, rows.map(mailboxMessage));
}

/** The messages of these UIDs that are there, ascending. */
export function messagesAt(reader: Reader, access: MailboxAccess, uids: readonly Uid[]): MailboxMessage[] {
  const rows = reader.arrays(
    `SELECT ${MESSAGE_COLUMNS} FROM json_each(?) j
     CROSS JOIN mailbox_message r ON r.account = ? AND r.mailbox = ? AND r.uid = j.value
     JOIN message m ON m.id = r.message ORDER BY r.uid`,
    JSON.stringify(uids),
    access.owner,
    access.mailbox,
  );
  return asReaderHas(reader, access, rows.map(mailboxMessage));
}

/** Which message stands at each UID of a range, ascending, at most `limit`: nothing of the messages is read. */
export function messageIdsBetween(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  range: UidRange,
  limit: number,
): { readonly uid: Uid; readonly message: MessageId }[] {
  return reader
    .arrays(
      `SELECT uid, message FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
      owner,
      mailbox,
      ...range,
      limit,
    )
    .map(([uid, message]) => ({ uid: idOf(uid), message: idOf(message) }));
}

/** Copies by their ids, in this order, of those that are there. */
export function messagesById(reader: Reader, ids: readonly MessageId[]): MessageRow[] {
  const sql = `SELECT ${COPY_COLUMNS} FROM json_each(?) j CROSS JOIN message m ON m.id = j.value`;
  return reader.arrays(sql, JSON.stringify(ids)).map((row) => messageRow(row, 0));
}

/** As messagesBetween, without what only bytes and structure need: a third of the cost of a row. */
export function summariesBetween(
  reader: Reader,
  access: MailboxAccess,
  range: UidRange,
  limit: number,
): MessageSummary[] {
  const rows = rowsBetween(reader, `${MAILBOX_COLUMNS}, m.header`, access, range, limit);
  const summaries = rows.map((row) => ({ ...asMailboxHas(row), header: String(row[7]) }));
  return asReaderHas(reader, access, summaries);
}

/** As messagesBetween, without what was parsed: half of the cost of a row. */
export function wholesBetween(reader: Reader, access: MailboxAccess, range: UidRange, limit: number): WholeMessage[] {
  const rows = rowsBetween(reader, `${MAILBOX_COLUMNS}, ${blobColumns('m.')}`, access, range, limit);
  const wholes = rows.map((row) => ({ ...asMailboxHas(row), blob: blobOf(row, 7) }));
  return asReaderHas(reader, access, wholes);
}

/** Where a message's bytes lie, and what is to be known to send them on: a fraction of its row. */
export interface StoredBytes extends Pick<MessageRow, 'blob' | 'bareLineFeeds' | 'parser'> {
  readonly uid: Uid;
}

/** As messagesBetween, for callers that want the bytes alone. */
export function bytesBetween(reader: Reader, key: MailboxKey, range: UidRange, limit: number): StoredBytes[] {
  return rowsBetween(reader, `r.uid, m.parser, m.bare_lf, ${blobColumns('m.')}`, key, range, limit).map((row) => ({
    uid: idOf(row[0]),
    parser: Number(row[1]),
    bareLineFeeds: Number(row[2]),
    blob: blobOf(row, 3),
  }));
}

export function isStored(reader: Reader, { owner, mailbox }: MailboxKey, uid: Uid): boolean {
  const sql = 'SELECT 1 FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid = ?';
  return reader.arrays(sql, owner, mailbox, uid).length > 0;
}

/** What is to be known of a message to send it on to another host. */
export type StoredMessage = Pick<MessageRow, 'id' | 'blob' | 'received' | 'traceBytes'>;

/** A copy by its id, for channels: what was parsed of it is not read. */
export function getMessage(reader: Reader, id: MessageId): StoredMessage {
  const row = reader.arrays(`SELECT ${blobColumns()}, received, trace_bytes FROM message WHERE id = ?`, id)[0];
  if (row === undefined) throw new Failure('not-found', 'No such message');
  return { id, blob: blobOf(row, 0), received: Number(row[7]), traceBytes: Number(row[8]) };
}

/**
 * UID of every message and its size where every line ends in CRLF, for POP3; ascending, at most PAGE_ROWS above `after`.
 * Few messages have bare line feeds: their index is all that is looked into.
 */
export function sizesAfter(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  after: Uid,
): { readonly uid: Uid; readonly size: number }[] {
  return reader
    .arrays(
      `SELECT uid, size + ifnull(
         (SELECT bare_lf FROM message INDEXED BY message_bare_lf WHERE id = r.message AND bare_lf > 0), 0)
       FROM mailbox_message r WHERE account = ? AND mailbox = ? AND uid > ? ORDER BY uid LIMIT +?`,
      owner,
      mailbox,
      after,
      PAGE_ROWS,
    )
    .map((row) => ({ uid: idOf(row[0]), size: Number(row[1]) }));
}
