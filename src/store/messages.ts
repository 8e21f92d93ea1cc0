// Messages as sessions read them: numbers first, rows for those that are asked for, what has changed since.
//
// All of it from one reader; a caller that needs several answers of one state wraps them in `reader.snapshot`.
// Never   bytes: those are read from segments, see blobs.ts

import { Failure } from '../base/failure.ts';
import { idOf, type MessageId, type Modseq, type Uid } from '../base/ids.ts';
import type { Reader, Value } from '../database/operation.ts';
import { blobColumns, blobOf } from './blob-row.ts';
import { parseKeywords } from './flags.ts';
import { checkOwnFlags, type MailboxAccess, type MailboxKey, type UidRange } from './mailbox-key.ts';
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

/** The lowest UID without \Seen, undefined when there is none. Walks the mailbox: for SELECT's UNSEEN only. */
export function firstUnseen(reader: Reader, access: MailboxAccess): Uid | undefined {
  checkOwnFlags(access);
  const row = reader.get(
    'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND flags & 1 = 0 ORDER BY uid LIMIT 1',
    access.owner,
    access.mailbox,
  );
  return row === undefined ? undefined : idOf(row['uid']);
}

/** Flags of the messages in a range of UIDs, ascending, at most PAGE_ROWS: ask again from the last one. */
export function flagsBetween(reader: Reader, access: MailboxAccess, range: UidRange): MessageFlags[] {
  checkOwnFlags(access);
  return reader
    .arrays(
      `SELECT uid, flags, keywords, modseq FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
      access.owner,
      access.mailbox,
      ...range,
      PAGE_ROWS,
    )
    .map(messageFlags);
}

const MESSAGE_COLUMNS = `r.uid, r.flags, r.keywords, r.modseq, r.internal_date, r.saved, r.size, ${blobColumns('m.')},
  m.received, m.trace_bytes, m.header, m.structure, m.parser, m.bare_lf`;

function mailboxMessage(row: readonly Value[]): MailboxMessage {
  return {
    ...messageFlags(row),
    internalDate: Number(row[4]),
    saved: Number(row[5]),
    size: Number(row[6]),
    ...messageRow(row, 7),
  };
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

function messageFlags(row: readonly Value[]): MessageFlags {
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
  checkOwnFlags(access);
  return reader
    .arrays(
      `SELECT ${MESSAGE_COLUMNS} FROM mailbox_message r JOIN message m ON m.id = r.message
       WHERE r.account = ? AND r.mailbox = ? AND r.uid BETWEEN ? AND ? ORDER BY r.uid LIMIT +?`,
      access.owner,
      access.mailbox,
      ...range,
      limit,
    )
    .map(mailboxMessage);
}

/** As messagesBetween, without what only bytes and structure need: a third of the cost of a row. */
export function summariesBetween(
  reader: Reader,
  access: MailboxAccess,
  range: UidRange,
  limit: number,
): MessageSummary[] {
  checkOwnFlags(access);
  return reader
    .arrays(
      `SELECT r.uid, r.flags, r.keywords, r.modseq, r.internal_date, r.saved, r.size, m.header
       FROM mailbox_message r JOIN message m ON m.id = r.message
       WHERE r.account = ? AND r.mailbox = ? AND r.uid BETWEEN ? AND ? ORDER BY r.uid LIMIT +?`,
      access.owner,
      access.mailbox,
      ...range,
      limit,
    )
    .map((row) => ({
      ...messageFlags(row),
      internalDate: Number(row[4]),
      saved: Number(row[5]),
      size: Number(row[6]),
      header: String(row[7]),
    }));
}

/** Where a message's bytes lie, and what is to be known to send them on: a fraction of its row. */
export interface StoredBytes extends Pick<MessageRow, 'blob' | 'bareLineFeeds' | 'parser'> {
  readonly uid: Uid;
}

/** As messagesBetween, for callers that want the bytes alone. */
export function bytesBetween(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  range: UidRange,
  limit: number,
): StoredBytes[] {
  return reader
    .arrays(
      `SELECT r.uid, m.parser, m.bare_lf, ${blobColumns('m.')}
       FROM mailbox_message r JOIN message m ON m.id = r.message
       WHERE r.account = ? AND r.mailbox = ? AND r.uid BETWEEN ? AND ? ORDER BY r.uid LIMIT +?`,
      owner,
      mailbox,
      ...range,
      limit,
    )
    .map((row) => ({
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

/** Up to where a session knows a mailbox. */
export interface KnownState {
  readonly modseq: Modseq;
  /** No message above it is known. */
  readonly lastUid: Uid;
}

export interface MailboxChanges {
  /** The modseq that these changes lead to, for the next question. */
  readonly modseq: Modseq;
  /** There is more above that modseq: ask again, after others have had their turn. */
  readonly more: boolean;
  /** UIDs expunged since, among those below `uidNext` of the asker. Any order. */
  readonly vanished: readonly Uid[];
  /** Messages whose flags were changed since, ascending. Those above the asker's last UID are new anyway. */
  readonly changed: readonly MessageFlags[];
  /** UIDs above the asker's last one, ascending. */
  readonly added: readonly Uid[];
  /** From this UID on, no session has claimed messages as recent. */
  readonly recentFrom: Uid;
  /** Messages in the mailbox now. A session that counts otherwise after the last part has slept longer than traces are kept. */
  readonly messages: number;
}

/**
 * What happened to a mailbox above what is known of it, as one state. Undefined when the mailbox is gone.
 * Bulk changes come in parts of about PAGE_ROWS; what one operation did is never cut.
 */
export function changesSince(reader: Reader, access: MailboxAccess, known: KnownState): MailboxChanges | undefined {
  checkOwnFlags(access);
  const { owner, mailbox } = access;
  return reader.snapshot(() => {
    const row = reader.get(
      'SELECT modseq, recent_from, messages FROM mailbox WHERE account = ? AND id = ?',
      owner,
      mailbox,
    );
    if (row === undefined) return undefined;
    const current = idOf<Modseq>(row['modseq']);
    const recentFrom = idOf<Uid>(row['recent_from']);
    const messages = Number(row['messages']);
    const none = { vanished: [], changed: [], added: [], recentFrom, messages };
    if (current === known.modseq) return { modseq: current, more: false, ...none };
    const modseq = idOf<Modseq>(
      Math.min(
        partEnd(reader, VANISHED_PART, access, known.modseq),
        partEnd(reader, CHANGED_PART, access, known.modseq),
        current,
      ),
    );
    const vanished = reader
      .arrays(
        'SELECT uid FROM vanished WHERE account = ? AND mailbox = ? AND modseq > ? AND modseq <= ?',
        owner,
        mailbox,
        known.modseq,
        modseq,
      )
      .map((line) => idOf<Uid>(line[0]));
    const changed = reader
      .arrays(
        `SELECT uid, flags, keywords, modseq FROM mailbox_message
         WHERE account = ? AND mailbox = ? AND touched = 1 AND modseq > ? AND modseq <= ? ORDER BY uid`,
        owner,
        mailbox,
        known.modseq,
        modseq,
      )
      .map(messageFlags);
    const added: Uid[] = [];
    for (let after = known.lastUid; ; ) {
      const page = uidsAfter(reader, access, after);
      added.push(...page);
      if (page.length < PAGE_ROWS) break;
      after = page[page.length - 1]!;
    }
    return { modseq, more: modseq < current, vanished, changed, added, recentFrom, messages };
  });
}

const VANISHED_PART = `SELECT modseq FROM vanished WHERE account = ? AND mailbox = ? AND modseq > ?
  ORDER BY modseq LIMIT 1 OFFSET ${PAGE_ROWS}`;
const CHANGED_PART = `SELECT modseq FROM mailbox_message WHERE account = ? AND mailbox = ? AND touched = 1 AND modseq > ?
  ORDER BY modseq LIMIT 1 OFFSET ${PAGE_ROWS}`;

/** The modseq at which about PAGE_ROWS changes have come; Infinity when there are not so many. */
function partEnd(reader: Reader, sql: string, { owner, mailbox }: MailboxKey, since: Modseq): number {
  const row = reader.get(sql, owner, mailbox, since);
  return row === undefined ? Number.POSITIVE_INFINITY : Number(row['modseq']);
}
