// What a unit sees of the database: readers on every thread, and named write operations that the writer executes.
//
// An operation is a function of a transaction and its arguments; it may await the transaction and nothing else, so that
// an engine behind a socket can follow. Operations run strictly one after another, each in a savepoint: a thrown error
// undoes the operation and reaches the caller, a Failure by kind.

import type { AccountId, MailboxId, Modseq, Revision, SegmentId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';

/** Never bigint: ids stay below 2^53. */
export type Value = null | number | string | Uint8Array;
export type Row = Readonly<Record<string, Value>>;
export type Awaitable<T> = T | PromiseLike<T>;

/**
 * A connection for reading, on any thread. Statements are prepared once and kept; nothing stays open across a yield.
 * A bound limit is written `LIMIT +?`: for a bare parameter SQLite plans the statement anew at each call, 85 µs against 15.
 */
export interface Reader {
  get(sql: string, ...parameters: Value[]): Row | undefined;
  /** Bounded by the caller: a LIMIT in the statement, or a set known to be small. */
  all(sql: string, ...parameters: Value[]): Row[];
  /** As `all`, but each row an array in the order of the columns: half the cost in bulk. */
  arrays(sql: string, ...parameters: Value[]): Value[][];
  /** Everything that `read` reads is one state of the database. Synchronous; may be nested. */
  snapshot<T>(read: () => T): T;
  /** A number of its own for the snapshot that is being read; undefined outside of one. */
  readonly openSnapshot: number | undefined;
  /** The committed directory revision, as this connection sees it. */
  revision(): Revision;
  /** The last one whose change moved a row of the routing tables. */
  routingRevision(): Revision;
}

/** What other threads need to know of a committed transaction. Carries no data that a reader could not read itself. */
export type Notification =
  // Messages of a mailbox have come, gone or changed, up to this modseq.
  | { readonly kind: 'mailbox'; readonly account: AccountId; readonly mailbox: MailboxId; readonly modseq: Modseq }
  | { readonly kind: 'mailboxes'; readonly account: AccountId } // mailboxes of this account were made, renamed, deleted, or subscribed to
  // What lets this entry in has changed, its password or something else; `session` has changed it.
  | {
      readonly kind: 'login';
      readonly uuid: string;
      readonly revision: Revision;
      readonly isPassword: boolean;
      /** It may send no more: all of its logins end; or it may again. */
      readonly submits?: 'suspended' | 'again';
      readonly session?: string;
    }
  | { readonly kind: 'domain'; readonly domain: string } // what lets in who is of this domain has changed
  | { readonly kind: 'rights' } // somebody may have other rights in mailboxes
  | { readonly kind: 'group' } // who reads the mailbox of some group may have changed
  | { readonly kind: 'administrator' } // the administrator's password has changed
  | { readonly kind: 'queue' } // a queue row is due
  | { readonly kind: 'routing' } // rows of the routing tables have changed
  | { readonly kind: 'zone-sources' } // an entry below ou=Sources has changed
  | { readonly kind: 'tombstone' } // a name has been refused
  | { readonly kind: 'zones' } // rows that DNS answers are made of have changed
  | { readonly kind: 'outbox' } // what another name server must be told is due
  | { readonly kind: 'watch' } // what other name servers have of a domain is to be looked at
  | { readonly kind: 'spread' } // domains that others serve are to be walked through
  | { readonly kind: 'segment-end'; readonly segment: SegmentId } // whoever has it open is to close it
  | { readonly kind: 'segment'; readonly segment: SegmentId }; // a segment's file may be unlinked

/** Rows of one table that an operation asks for again and again. */
export interface RowsOf<T> {
  readonly table: string;
  /** A key has one row at most: an insertion changes nothing of what was found. */
  readonly isUnique: boolean;
  /** What is large is read again. */
  isSmall?(value: T): boolean;
}

export interface Transaction {
  get(sql: string, ...parameters: Value[]): Awaitable<Row | undefined>;
  all(sql: string, ...parameters: Value[]): Awaitable<Row[]>;
  arrays(sql: string, ...parameters: Value[]): Awaitable<Value[][]>;
  /** Rows changed. */
  run(sql: string, ...parameters: Value[]): Awaitable<number>;
  /** Inserts one row of a table with rowids, and gives its rowid. */
  insert(sql: string, ...parameters: Value[]): Awaitable<number>;
  /**
   * What `read` gives, which reads rows of one table by this key: asked once, until the operation ends or writes to that table.
   * Undefined: there is no such row.
   */
  remembered<T>(of: RowsOf<T>, key: string, read: () => Awaitable<T | undefined>): Awaitable<T | undefined>;
  /**
   * `sql` is run once, with the sum of these differences in place of its parameter: before the operation ends. Nothing that it
   * writes is read in the operation.
   */
  tally(sql: string, difference: number): void;
  /** The committed directory revision plus what this transaction added to it so far. */
  readonly revision: Revision;
  /** One more directory revision, this transaction's; stored and published with the commit. */
  nextRevision(): Awaitable<Revision>;
  /** The revisions are another server's: the counter becomes this one, where it is lower. */
  raiseRevision(to: Revision): Awaitable<void>;
  /** The last directory revision whose change moved a row of the routing tables. */
  readonly routingRevision: Revision;
  /** The change of this revision moves such a row; stored and published with the commit, and all threads are notified. */
  routingChanged(): Awaitable<void>;
  /** Sent to all threads after the commit, never before, and not at all if the operation or the commit fails. */
  afterCommit(notification: Notification): void;
  /** What has been written to this segment is on disk before the commit. */
  syncBeforeCommit(segment: SegmentId): void;
  /** Ends the operation: nothing of it is committed or sent, and its caller gets `result` as if it were. For dry runs. */
  rollbackWith<T>(result: T): never;
}

/** One statement inserts so many at most. */
const ROWS_MAX = 8;
/** By the text before VALUES: what inserts one row, two rows, and so on. */
const insertions = new Map<string, string[]>();

/**
 * Inserts some rows in few statements. `head` is a constant: `INSERT OR IGNORE INTO table (column, ...)`; of other insertions SQLite
 * would keep a journal, which costs more than it saves (store/accounts.ts). Gives how many rows were none before.
 */
export async function insertRows(
  tx: Pick<Transaction, 'run'>,
  head: `INSERT OR IGNORE INTO ${string}`,
  rows: readonly (readonly Value[])[],
): Promise<number> {
  let inserted = 0;
  for (let at = 0; at < rows.length; at += ROWS_MAX) {
    const some = rows.slice(at, at + ROWS_MAX);
    inserted += await tx.run(insertion(head, some.length, some[0]!.length), ...some.flat());
  }
  return inserted;
}

function insertion(head: string, rows: number, columns: number): string {
  let texts = insertions.get(head);
  if (texts === undefined) insertions.set(head, (texts = []));
  const row = () => `(${Array(columns).fill('?').join(', ')})`;
  return (texts[rows] ??= `${head} VALUES ${Array.from({ length: rows }, row).join(', ')}`);
}

export interface Operation<A, R> {
  /** `unit.verb`; the only thing that crosses the threads beside arguments and result. */
  readonly name: string;
  readonly run: (tx: Transaction, args: A) => Awaitable<R>;
}

/** Arguments and result must survive a structured clone. */
export function operation<A, R>(name: string, run: (tx: Transaction, args: A) => Awaitable<R>): Operation<A, R> {
  return { name, run };
}

/** How every thread but the writer's writes. */
export interface Writer {
  /**
   * Resolves after the COMMIT that holds the operation. Rejects with the operation's own Failure, with `unavailable`
   * when too much is waiting or the batch could not be committed, with `full` when the disk has no space.
   * `bytes` is a rough size of the arguments, for the bound on what waits.
   */
  execute<A, R>(operation: Operation<A, R>, args: A, bytes?: number): Promise<R>;
}

/** What a step of the format sees of the database: synchronous, since no thread runs yet. One transaction holds all steps. */
export interface MigrationConnection {
  get(sql: string, ...parameters: Value[]): Row | undefined;
  all(sql: string, ...parameters: Value[]): Row[];
  arrays(sql: string, ...parameters: Value[]): Value[][];
  /** Rows changed. */
  run(sql: string, ...parameters: Value[]): number;
  /**
   * The rows of a statement in pages, so that a step reads a large table in little memory and may write to it meanwhile.
   * The statement asks for what lies above a key and orders by it: `SELECT id, name FROM t WHERE id > ? ORDER BY id LIMIT +?`.
   * `key` names the columns of a row that go in for the next page, `first` the values that stand below all keys.
   */
  pages(sql: string, key: readonly string[], first: readonly Value[]): Iterable<Row[]>;
  /** Said on standard error now and then: `done` of `of` rows. */
  progress(done: number, of: number): void;
  /** A row that could not be read, say. */
  readonly log: Log;
}

/**
 * One step of a unit's tables, from `version - 1` to `version`: its statements, then `run`. A new store goes through all
 * of them with empty tables.
 */
export interface Migration {
  readonly version: number;
  readonly statements?: readonly string[];
  readonly run?: (connection: MigrationConnection) => void;
  /** Rows come out otherwise than an older program wrote them: a copy of the store is made before any step. */
  readonly rewrites?: boolean;
}

/** Whether the database can be written: one row, unchanged, with the commit and its sync. */
export const probe = operation('database.probe', async (tx, _args: Readonly<Record<string, never>>) => {
  await tx.run('UPDATE revision SET value = value WHERE id = 1');
});
