// Messages as sessions read them: numbers first, rows for those that are asked for, what has changed since.
//
// All of it from one reader; a caller that needs several answers of one state wraps them in `reader.snapshot`.
// Never   bytes: those are read from segments, see blobs.ts

import { Failure } from '../base/failure.ts';
import type { Reader, Value } from '../database/operation.ts';
import { parseKeywords } from './flags.ts';
import type { Blob } from './segment.ts';

/** A copy's place and what was parsed of it, once for all mailboxes that refer to it. */
export interface MessageRow {
  readonly id: number;
  readonly blob: Blob;
  /** When it was accepted, epoch ms. */
  readonly received: number;
  /** Bytes of the Return-Path line that we have put before everything else; never sent out again. */
  readonly traceBytes: number;
  /** What the header says, encoded by message/header-values.ts. */
  readonly header: string;
  /** Encoded by message/structure.ts. */
  readonly structure: string;
  /** The version of the parser that read these two from the bytes. */
  readonly parser: number;
}

/** A message's status without its content. */
export interface MessageStatus {
  readonly uid: number;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: number;
}

/** What a list of messages shows: all but the structure and the place of the bytes. */
export interface MessageSummary extends MessageStatus {
  readonly internalDate: number;
  readonly size: number;
  /** As in MessageRow. */
  readonly header: string;
}

/** A message as one mailbox has it. */
export interface MailboxMessage extends MessageRow, MessageSummary {}

/** Rows of one page; a page stays well under 10 ms. */
export const PAGE_ROWS = 5000;

/** UIDs above `after` in ascending order, one page; ask again from the last one until fewer than PAGE_ROWS come. */
export function uidsAfter(reader: Reader, account: number, mailbox: number, after: number): number[] {
  return reader
    .arrays(
      'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid > ? ORDER BY uid LIMIT +?',
      account,
      mailbox,
      after,
      PAGE_ROWS,
    )
    .map((row) => Number(row[0]));
}

/** The lowest UID without \Seen, undefined when there is none. Walks the mailbox: for SELECT's UNSEEN only. */
export function firstUnseen(reader: Reader, account: number, mailbox: number): number | undefined {
  const row = reader.get(
    'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND flags & 1 = 0 ORDER BY uid LIMIT 1',
    account,
    mailbox,
  );
  return row === undefined ? undefined : Number(row['uid']);
}

/** Status of the messages with `from` <= uid <= `to`, ascending, at most PAGE_ROWS: ask again from the last one. */
export function statusBetween(
  reader: Reader,
  account: number,
  mailbox: number,
  from: number,
  to: number,
): MessageStatus[] {
  return reader
    .arrays(
      `SELECT uid, flags, keywords, modseq FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
      account,
      mailbox,
      from,
      to,
      PAGE_ROWS,
    )
    .map(status);
}

const MESSAGE_COLUMNS = `r.uid, r.flags, r.keywords, r.modseq, r.internal_date, r.size, m.id, m.segment, m.offset,
  m.length, m.hash, m.codec, m.received, m.trace_bytes, m.header, m.structure, m.parser`;

function mailboxMessage(row: readonly Value[]): MailboxMessage {
  return {
    uid: Number(row[0]),
    flags: Number(row[1]),
    keywords: parseKeywords(row[2]),
    modseq: Number(row[3]),
    internalDate: Number(row[4]),
    size: Number(row[5]),
    ...messageRow(row.slice(6)),
  };
}

function messageRow(row: readonly Value[]): MessageRow {
  return {
    id: Number(row[0]),
    blob: {
      segment: Number(row[1]),
      offset: Number(row[2]),
      length: Number(row[3]),
      hash: row[4] as Uint8Array,
      codec: Number(row[5]),
    },
    received: Number(row[6]),
    traceBytes: Number(row[7]),
    header: String(row[8]),
    structure: String(row[9]),
    parser: Number(row[10]),
  };
}

function status(row: readonly Value[]): MessageStatus {
  return {
    uid: Number(row[0]),
    flags: Number(row[1]),
    keywords: parseKeywords(row[2]),
    modseq: Number(row[3]),
  };
}

/**
 * Rows with `from` <= uid <= `to`, ascending, at most `limit`: ask again from the last one.
 * LIMIT +? would make SQLite plan anew with each call, four times the cost of one row; it does not look through +?.
 */
export function messagesBetween(
  reader: Reader,
  account: number,
  mailbox: number,
  from: number,
  to: number,
  limit: number,
): MailboxMessage[] {
  return reader
    .arrays(
      `SELECT ${MESSAGE_COLUMNS} FROM mailbox_message r JOIN message m ON m.id = r.message
       WHERE r.account = ? AND r.mailbox = ? AND r.uid BETWEEN ? AND ? ORDER BY r.uid LIMIT +?`,
      account,
      mailbox,
      from,
      to,
      limit,
    )
    .map(mailboxMessage);
}

/** As messagesBetween, without what only bytes and structure need: a third of the cost of a row. */
export function summariesBetween(
  reader: Reader,
  account: number,
  mailbox: number,
  from: number,
  to: number,
  limit: number,
): MessageSummary[] {
  return reader
    .arrays(
      `SELECT r.uid, r.flags, r.keywords, r.modseq, r.internal_date, r.size, m.header
       FROM mailbox_message r JOIN message m ON m.id = r.message
       WHERE r.account = ? AND r.mailbox = ? AND r.uid BETWEEN ? AND ? ORDER BY r.uid LIMIT +?`,
      account,
      mailbox,
      from,
      to,
      limit,
    )
    .map((row) => ({
      uid: Number(row[0]),
      flags: Number(row[1]),
      keywords: parseKeywords(row[2]),
      modseq: Number(row[3]),
      internalDate: Number(row[4]),
      size: Number(row[5]),
      header: String(row[6]),
    }));
}

/** One message of a mailbox, undefined when it is not there any more. */
export function findMessage(reader: Reader, account: number, mailbox: number, uid: number): MailboxMessage | undefined {
  return messagesBetween(reader, account, mailbox, uid, uid, 1)[0];
}

/** A copy by its id, for channels. */
export function getMessage(reader: Reader, id: number): MessageRow {
  const row = reader.arrays(
    `SELECT id, segment, offset, length, hash, codec, received, trace_bytes, header, structure, parser
     FROM message WHERE id = ?`,
    id,
  )[0];
  if (row === undefined) throw new Failure('not-found', 'No such message');
  return messageRow(row);
}

/** Size and UID of every message, for POP3; ascending, at most PAGE_ROWS above `after`. */
export function sizesAfter(
  reader: Reader,
  account: number,
  mailbox: number,
  after: number,
): { readonly uid: number; readonly size: number }[] {
  return reader
    .arrays(
      'SELECT uid, size FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid > ? ORDER BY uid LIMIT +?',
      account,
      mailbox,
      after,
      PAGE_ROWS,
    )
    .map((row) => ({ uid: Number(row[0]), size: Number(row[1]) }));
}

export interface MailboxChanges {
  /** The modseq that these changes lead to; the next question's `since`. */
  readonly modseq: number;
  /** There is more above that modseq: ask again, after others have had their turn. */
  readonly more: boolean;
  /** UIDs expunged since, among those below `uidNext` of the asker. Any order. */
  readonly vanished: readonly number[];
  /** Messages whose status was changed since, ascending. Those above the asker's last UID are new anyway. */
  readonly changed: readonly MessageStatus[];
  /** UIDs above the asker's last one, ascending. */
  readonly added: readonly number[];
  /** From this UID on, nobody has been told of a message as recent. */
  readonly recentFrom: number;
  /** Messages in the mailbox now: who counts otherwise after the last part has slept longer than traces are kept. */
  readonly messages: number;
}

/**
 * What happened to a mailbox above `since` and above the UID `lastUid`, as one state. Undefined when the mailbox is gone.
 * Bulk changes come in parts of about PAGE_ROWS; what one operation did is never cut.
 */
export function changesSince(
  reader: Reader,
  account: number,
  mailbox: number,
  since: number,
  lastUid: number,
): MailboxChanges | undefined {
  return reader.snapshot(() => {
    const row = reader.get(
      'SELECT modseq, recent_from, messages FROM mailbox WHERE account = ? AND id = ?',
      account,
      mailbox,
    );
    if (row === undefined) return undefined;
    const current = Number(row['modseq']);
    const recentFrom = Number(row['recent_from']);
    const messages = Number(row['messages']);
    const none = { vanished: [], changed: [], added: [], recentFrom, messages };
    if (current === since) return { modseq: current, more: false, ...none };
    const modseq = Math.min(
      partEnd(reader, VANISHED_PART, account, mailbox, since),
      partEnd(reader, CHANGED_PART, account, mailbox, since),
      current,
    );
    const vanished = reader
      .arrays(
        'SELECT uid FROM vanished WHERE account = ? AND mailbox = ? AND modseq > ? AND modseq <= ?',
        account,
        mailbox,
        since,
        modseq,
      )
      .map((line) => Number(line[0]));
    const changed = reader
      .arrays(
        `SELECT uid, flags, keywords, modseq FROM mailbox_message
         WHERE account = ? AND mailbox = ? AND touched = 1 AND modseq > ? AND modseq <= ? ORDER BY uid`,
        account,
        mailbox,
        since,
        modseq,
      )
      .map(status);
    const added: number[] = [];
    for (let after = lastUid; ; ) {
      const page = uidsAfter(reader, account, mailbox, after);
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
function partEnd(reader: Reader, sql: string, account: number, mailbox: number, since: number): number {
  const row = reader.get(sql, account, mailbox, since);
  return row === undefined ? Number.POSITIVE_INFINITY : Number(row['modseq']);
}
