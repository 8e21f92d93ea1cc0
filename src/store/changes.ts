// What has happened to a mailbox since a state of it, and which messages it had then.
//
// A state is a modseq: all that was committed up to it. Expunged messages leave a trace (`vanished`) for some time.
// All of an answer is read in one snapshot; nothing is kept but by the caller.

import { idOf, type Modseq, type Uid } from '../base/ids.ts';
import type { Reader, Value } from '../database/operation.ts';
import type { MailboxAccess, MailboxKey } from './mailbox-key.ts';
import { findMailboxById, listKeywords, type Mailbox } from './mailboxes.ts';
import { type MessageFlags, messageFlags, newestFlags, PAGE_ROWS, uidsAfter } from './messages.ts';
import {
  asReaderHas,
  changedByReader,
  changedForReader,
  hasOwnStatus,
  readerModseq,
  readerPartEnd,
  readerUnseen,
} from './reader-status.ts';

/** Up to where a session knows a mailbox. */
export interface KnownState {
  readonly modseq: Modseq;
  /** No message above it is known. */
  readonly lastUid: Uid;
}

/** What a mailbox's row says of it at this moment. */
export interface MailboxState {
  readonly modseq: Modseq;
  /** From this UID on, no session has claimed messages as recent. */
  readonly recentFrom: Uid;
  readonly uidNext: Uid;
  readonly messages: number;
}

export interface MailboxChanges {
  /** The modseq that these changes lead to, for the next question. */
  readonly modseq: Modseq;
  /** There is more above that modseq: ask again, after others have had their turn. */
  readonly more: boolean;
  /** UIDs expunged since. Any order; those above the asker's last UID came and went unseen. */
  readonly vanished: readonly Uid[];
  /** Messages whose flags were changed since, ascending. Those above the asker's last UID are new anyway. */
  readonly changed: readonly MessageFlags[];
  /** UIDs above the asker's last one, ascending. */
  readonly added: readonly Uid[];
  /** The mailbox now. A session that counts otherwise after the last part has slept longer than traces are kept. */
  readonly state: MailboxState;
}

/** A mailbox as a session finds it that opens it. */
export interface OpenedState {
  readonly mailbox: Mailbox;
  /** Flags of its last messages, ascending. */
  readonly newest: readonly MessageFlags[];
  readonly keywords: readonly string[];
}

/** Undefined when the mailbox is gone. */
export function openedState(reader: Reader, access: MailboxAccess, newest: number): OpenedState | undefined {
  return reader.snapshot(() => {
    const row = findMailboxById(reader, access);
    if (row === undefined) return undefined;
    const mailbox = asReaderFinds(reader, access, row);
    // Those of the folder are the owner's.
    const keywords = hasOwnStatus(access) ? [] : listKeywords(reader, access);
    return { mailbox, newest: newestFlags(reader, access, newest), keywords };
  });
}

/** The row with what is the reader's in it. */
export function asReaderFinds(reader: Reader, access: MailboxAccess, row: Mailbox): Mailbox {
  if (access.owner === access.reader) return row;
  const modseq = idOf<Modseq>(Math.max(row.modseq, readerModseq(reader, access)));
  return { ...row, modseq, unseen: readerUnseen(reader, access, row) };
}

/** As a reader finds it. Undefined when the mailbox is gone. */
export function readerState(reader: Reader, access: MailboxAccess): MailboxState | undefined {
  const state = mailboxState(reader, access);
  if (state === undefined || access.owner === access.reader) return state;
  return { ...state, modseq: idOf(Math.max(state.modseq, readerModseq(reader, access))) };
}

/** Undefined when the mailbox is gone. */
function mailboxState(reader: Reader, { owner, mailbox }: MailboxKey): MailboxState | undefined {
  const row = reader.arrays(
    'SELECT modseq, recent_from, uidnext, messages FROM mailbox WHERE account = ? AND id = ?',
    owner,
    mailbox,
  )[0];
  if (row === undefined) return undefined;
  return { modseq: idOf(row[0]), recentFrom: idOf(row[1]), uidNext: idOf(row[2]), messages: Number(row[3]) };
}

/**
 * What happened to a mailbox above what is known of it, as one state. Undefined when the mailbox is gone.
 * Bulk changes come in parts of about PAGE_ROWS; what one operation did is never cut.
 */
export function changesSince(reader: Reader, access: MailboxAccess, known: KnownState): MailboxChanges | undefined {
  const { owner, mailbox } = access;
  return reader.snapshot(() => {
    const state = readerState(reader, access);
    if (state === undefined) return undefined;
    const current = state.modseq;
    if (current === known.modseq) return { modseq: current, more: false, vanished: [], changed: [], added: [], state };
    const modseq = idOf<Modseq>(
      Math.min(
        partEnd(reader, VANISHED_PART, access, known.modseq),
        partEnd(reader, CHANGED_PART, access, known.modseq),
        readerPartEnd(reader, access, known.modseq, PAGE_ROWS),
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
    const ofFolder = reader.arrays(
      `SELECT uid, flags, keywords, modseq FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND touched = 1 AND modseq > ? AND modseq <= ? ORDER BY uid`,
      owner,
      mailbox,
      known.modseq,
      modseq,
    );
    const rows = byUid(ofFolder, changedByReader(reader, access, known.modseq, modseq));
    const changed = asReaderHas(reader, access, rows.map(messageFlags));
    const added: Uid[] = [];
    for (let after = known.lastUid; ; ) {
      const page = uidsAfter(reader, access, after);
      for (const uid of page) added.push(uid);
      if (page.length < PAGE_ROWS) break;
      after = page[page.length - 1]!;
    }
    return { modseq, more: modseq < current, vanished, changed, added, state };
  });
}

/** Each message once, ascending. */
function byUid(rows: Value[][], others: Value[][]): Value[][] {
  if (others.length === 0) return rows;
  const all = new Map([...rows, ...others].map((row) => [Number(row[0]), row]));
  return [...all.keys()].sort((a, b) => a - b).map((uid) => all.get(uid)!);
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

/** Whether all that was expunged above this modseq has its trace still. */
export function hasTracesSince(reader: Reader, modseq: Modseq): boolean {
  const row = reader.arrays("SELECT value FROM counter WHERE name = 'vanished'")[0];
  return row === undefined || modseq + 1 >= Number(row[0]);
}

/** A part of what a mailbox held. */
export interface PastPage {
  /** Ascending, below all that were read before. */
  readonly uids: readonly Uid[];
  /** Nothing is below it. */
  readonly isFirst: boolean;
}

/** The UIDs that a mailbox had at a modseq, from the end backwards: the rows of now, and the traces of what has gone since. */
export class PastUids {
  readonly #reader: Reader;
  readonly #key: MailboxKey;
  #below: number;
  /** Gone since, not given out, ascending. */
  #traces: Uid[] = [];
  #tracesTo: Modseq;

  /** Those below a UID; the caller knows the others. */
  constructor(reader: Reader, key: MailboxKey, modseq: Modseq, below: number) {
    this.#reader = reader;
    this.#key = key;
    this.#tracesTo = modseq;
    this.#below = below;
  }

  /** The next page, of about `limit`. Undefined: the mailbox is gone, or its traces do not reach back so far. */
  read(limit: number): PastPage | undefined {
    const { owner, mailbox } = this.#key;
    return this.#reader.snapshot(() => {
      const state = mailboxState(this.#reader, this.#key);
      if (state === undefined || !this.#readTraces(state)) return undefined;
      const rows = this.#reader
        .arrays(
          'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid < ? ORDER BY uid DESC LIMIT +?',
          owner,
          mailbox,
          this.#below,
          limit,
        )
        .map((row) => idOf<Uid>(row[0]));
      const isFirst = rows.length < limit;
      this.#below = isFirst ? 0 : rows[rows.length - 1]!;
      let kept = this.#traces.length;
      while (kept > 0 && this.#traces[kept - 1]! >= this.#below) kept--;
      const gone = this.#traces.splice(kept);
      return { uids: gone.length === 0 ? rows.reverse() : rows.concat(gone).sort((a, b) => a - b), isFirst };
    });
  }

  /** What has gone since it was asked for last. */
  #readTraces({ modseq }: MailboxState): boolean {
    if (modseq === this.#tracesTo) return true;
    if (!hasTracesSince(this.#reader, this.#tracesTo)) return false;
    const { owner, mailbox } = this.#key;
    const traces = this.#reader.arrays(
      'SELECT uid FROM vanished WHERE account = ? AND mailbox = ? AND modseq > ? AND uid < ?',
      owner,
      mailbox,
      this.#tracesTo,
      this.#below,
    );
    this.#tracesTo = modseq;
    if (traces.length > 0) {
      for (const [uid] of traces) this.#traces.push(idOf<Uid>(uid));
      this.#traces.sort((a, b) => a - b);
    }
    return true;
  }
}

/** A span of modseqs: above `since`, up to `to`. */
export interface ModseqSpan {
  readonly since: number;
  readonly to: Modseq;
}

/** Where the messages begin that came above a modseq, or have changed since: all from this UID on up to `lastUid` are such. */
export function newSince(reader: Reader, key: MailboxKey, since: number, lastUid: Uid): Uid {
  // UIDs and modseqs of arrival rise together, and a change only raises the modseq.
  let below = lastUid + 1;
  for (let limit = 16; below > 1; limit = Math.min(PAGE_ROWS, 2 * limit)) {
    const [row] = reader.arrays(
      `SELECT max(CASE WHEN modseq <= ? THEN uid END), min(uid), count(*) FROM
         (SELECT uid, modseq FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid < ? ORDER BY uid DESC LIMIT +?)`,
      since,
      key.owner,
      key.mailbox,
      below,
      limit,
    );
    const [older, lowest, count] = row!;
    if (older !== null) return idOf(Number(older) + 1);
    if (Number(count) < limit) break;
    below = Number(lowest);
  }
  return idOf(1);
}

/** Where a reading of changed messages goes on. */
export interface ChangedPlace {
  readonly modseq: number;
  readonly uid: number;
}

/** Messages below a UID whose flags were changed in a span, in the order of their changes, behind a place; at most `limit`. */
export function changedBetween(
  reader: Reader,
  access: MailboxAccess,
  { to }: ModseqSpan,
  after: ChangedPlace,
  below: Uid,
  limit: number,
): MessageFlags[] {
  if (hasOwnStatus(access)) return changedForReader(reader, access, after, { to, below, limit });
  return reader
    .arrays(
      `SELECT uid, flags, keywords, modseq FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND touched = 1 AND (modseq, uid) > (?, ?) AND modseq <= ? AND uid < ?
       ORDER BY modseq, uid LIMIT +?`,
      access.owner,
      access.mailbox,
      after.modseq,
      after.uid,
      to,
      below,
      limit,
    )
    .map(messageFlags);
}

/** UIDs that were expunged in a span, in that order, behind a place; at most `limit`. */
export function vanishedBetween(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  { to }: ModseqSpan,
  after: ChangedPlace,
  limit: number,
): (ChangedPlace & { readonly uid: Uid })[] {
  return reader
    .arrays(
      `SELECT modseq, uid FROM vanished
       WHERE account = ? AND mailbox = ? AND (modseq, uid) > (?, ?) AND modseq <= ? ORDER BY modseq, uid LIMIT +?`,
      owner,
      mailbox,
      after.modseq,
      after.uid,
      to,
      limit,
    )
    .map((row) => ({ modseq: Number(row[0]), uid: idOf(row[1]) }));
}

/** How many messages a mailbox had at a modseq with UIDs from one up to before another. */
export function countAt(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  at: Modseq,
  from: number,
  before: number,
): number {
  if (from >= before) return 0;
  const [row] = reader.arrays(
    `SELECT (SELECT count(*) FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid >= ? AND uid < ?) +
       (SELECT count(*) FROM vanished WHERE account = ? AND mailbox = ? AND modseq > ? AND uid >= ? AND uid < ?)`,
    owner,
    mailbox,
    from,
    before,
    owner,
    mailbox,
    at,
    from,
    before,
  );
  return Number(row![0]);
}
