// Group commit: many callers' operations in one transaction, each in a savepoint, one sync for all.
//
// In      calls in the order in which they were posted
// Out     one outcome a call, known only after COMMIT; notifications for the other threads; the directory revision
// States  idle -> open (operations run strictly one after another) -> committed | refused
// Errors  an operation's own error undoes that operation, and so does rollbackWith, which is none; an error that ends the
//         transaction refuses the whole batch; a full disk is temporary; any other I/O error is fatal, because what is on
//         disk is not known
// Never   keeps memory that mirrors tables beyond one operation: a rollback would not undo it

import type { DatabaseSync } from 'node:sqlite';
import { asFailure, Failure } from '../base/failure.ts';
import { idOf, type Revision, type SegmentId } from '../base/ids.ts';
import { classifyEngineError, isDamage, type Statements } from './connection.ts';
import type { Awaitable, Notification, Operation, Row, RowsOf, Transaction, Value } from './operation.ts';
import { OperationMemory } from './operation-memory.ts';
import type { Revisions } from './shared.ts';

interface Call {
  readonly name: string;
  readonly args: unknown;
}

type CallOutcome = { readonly result: unknown } | { readonly failure: Failure };

interface BatchOutcome {
  readonly outcomes: readonly CallOutcome[];
  readonly notifications: readonly Notification[];
  /** Published after COMMIT, before any reply leaves. Undefined: the batch was refused, and what it has counted is not on disk. */
  readonly revisions: Revisions | undefined;
}

/** What is on disk is not known any more: the process has to end, and the next start replays the log. */
export class FatalStoreError extends Error {
  constructor(error: unknown) {
    const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined;
    const code = errcode === undefined ? '' : ` (SQLite ${errcode})`;
    const what = isDamage(errcode) ? 'is damaged, put a backup in its place' : 'cannot be written';
    super(`the database ${what}: ${error instanceof Error ? error.message : String(error)}${code}`, {
      cause: error,
    });
    this.name = 'FatalStoreError';
  }
}

class SqliteTransaction implements Transaction {
  readonly #statements: Statements;
  readonly #memory = new OperationMemory();
  revision = idOf<Revision>(0);
  routingRevision = idOf<Revision>(0);
  /** The two stand so in the table. */
  #isCounted = true;
  /** Of this operation, by statement. */
  readonly #tallies = new Map<string, number>();
  notifications: Notification[] = [];
  readonly unsynced = new Set<SegmentId>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  get(sql: string, ...parameters: Value[]): Row | undefined {
    return this.#statements.rows(sql).get(...parameters) as Row | undefined;
  }

  all(sql: string, ...parameters: Value[]): Row[] {
    return this.#statements.rows(sql).all(...parameters) as Row[];
  }

  arrays(sql: string, ...parameters: Value[]): Value[][] {
    return this.#statements.arrays(sql).all(...parameters) as unknown as Value[][];
  }

  run(sql: string, ...parameters: Value[]): number {
    this.#memory.forgetWritten(sql);
    return Number(this.#statements.rows(sql).run(...parameters).changes);
  }

  insert(sql: string, ...parameters: Value[]): number {
    this.#memory.forgetWritten(sql);
    return Number(this.#statements.rows(sql).run(...parameters).lastInsertRowid);
  }

  remembered<T>(of: RowsOf<T>, key: string, read: () => Awaitable<T | undefined>): Awaitable<T | undefined> {
    return this.#memory.find(of, key, read);
  }

  tally(sql: string, difference: number): void {
    this.#tallies.set(sql, (this.#tallies.get(sql) ?? 0) + difference);
  }

  // This transaction alone counts: an operation's end writes what it has come to.
  nextRevision(): Revision {
    this.revision = idOf(this.revision + 1);
    this.#isCounted = false;
    return this.revision;
  }

  raiseRevision(to: Revision): void {
    if (to <= this.revision) return;
    this.revision = to;
    this.#isCounted = false;
  }

  routingChanged(): void {
    if (this.routingRevision === this.revision) return;
    this.routingRevision = this.revision;
    this.#isCounted = false;
    this.afterCommit({ kind: 'routing' });
  }

  begin(): void {
    this.#memory.clear();
    this.#tallies.clear();
    const row = this.#statements.rows('SELECT value, routing FROM revision WHERE id = 1').get();
    this.revision = idOf(row?.['value']);
    this.routingRevision = idOf(row?.['routing']);
    this.#isCounted = true;
  }

  /** Of one operation. */
  end(): void {
    this.#memory.clear();
    for (const [sql, sum] of this.#tallies) if (sum !== 0) this.#statements.rows(sql).run(sum);
    this.#tallies.clear();
    if (this.#isCounted) return;
    const sql = 'UPDATE revision SET value = ?, routing = ? WHERE id = 1';
    this.#statements.rows(sql).run(this.revision, this.routingRevision);
    this.#isCounted = true;
  }

  afterCommit(notification: Notification): void {
    this.notifications.push(notification);
  }

  syncBeforeCommit(segment: SegmentId): void {
    this.unsynced.add(segment);
  }

  rollbackWith<T>(result: T): never {
    throw new RolledBack(result);
  }
}

/** Thrown through an operation that is to be undone though it has its result. */
class RolledBack {
  readonly result: unknown;

  constructor(result: unknown) {
    this.result = result;
  }
}

/** A batch under way. `add` one call after another, then `commit`. */
export class Batch {
  readonly #database: DatabaseSync;
  readonly #operations: ReadonlyMap<string, Operation<never, unknown>>;
  readonly #statements: Statements;
  readonly #tx: SqliteTransaction;
  #outcomes: CallOutcome[] = [];
  /** Set when the engine has ended the transaction: then nothing of the batch is on disk. */
  #refusal: Failure | undefined;

  constructor(
    database: DatabaseSync,
    statements: Statements,
    operations: ReadonlyMap<string, Operation<never, unknown>>,
  ) {
    this.#database = database;
    this.#statements = statements;
    this.#operations = operations;
    this.#tx = new SqliteTransaction(statements);
    try {
      this.#statements.rows('BEGIN IMMEDIATE').run();
      this.#tx.begin();
    } catch (error) {
      this.#refuse(error);
    }
  }

  get size(): number {
    return this.#outcomes.length;
  }

  /** Claims until `commit` has returned; see WriterOptions.acknowledgeEarly for who may look. */
  get outcomes(): readonly CallOutcome[] {
    return this.#outcomes;
  }

  get notifications(): readonly Notification[] {
    return this.#tx.notifications;
  }

  /** The caller syncs these before `commit`: rows of this batch name what has been written there. */
  get unsynced(): ReadonlySet<SegmentId> {
    return this.#tx.unsynced;
  }

  /** Runs one call. What it throws is kept as its outcome; only a FatalStoreError leaves. */
  async add(call: Call): Promise<void> {
    if (this.#refusal !== undefined) {
      this.#outcomes.push({ failure: this.#refusal });
      return;
    }
    const tx = this.#tx;
    const notificationsBefore = tx.notifications.length;
    let turned = false;
    try {
      const operation = this.#operations.get(call.name);
      if (operation === undefined) throw new Error(`no operation is named ${call.name}`);
      this.#statements.rows('SAVEPOINT call').run();
      const settled = operation.run(tx, call.args as never);
      let result: unknown = settled;
      if (isPromise(settled)) {
        const immediate = setImmediate(() => {
          turned = true;
        });
        result = await settled;
        clearImmediate(immediate);
        // An operation that waits for anything but its transaction delays all others, and the savepoints would mix.
        if (turned) throw new Error(`operation ${call.name} waited for more than its transaction`);
      }
      // Where the engine has ended the transaction it would stand on disk at once: the release says what has happened.
      if (this.#database.isTransaction) tx.end();
      this.#statements.rows('RELEASE call').run();
      this.#outcomes.push({ result });
    } catch (error) {
      this.#undo(call, error, notificationsBefore);
    }
  }

  #undo(call: Call, error: unknown, notificationsBefore: number): void {
    const kind = classifyEngineError(error);
    if (kind === 'fatal') throw new FatalStoreError(error);
    if (!this.#database.isTransaction) {
      // The engine has ended the transaction: nothing of the batch will be on disk.
      this.#refuse(error);
      this.#outcomes.push({ failure: this.#refusal! });
      return;
    }
    this.#tx.notifications.length = notificationsBefore;
    try {
      this.#statements.rows('ROLLBACK TO call').run();
      this.#statements.rows('RELEASE call').run();
      this.#tx.begin();
    } catch (undoError) {
      if (classifyEngineError(undoError) === 'fatal') throw new FatalStoreError(undoError);
      this.#refuse(undoError);
    }
    this.#outcomes.push(this.#outcomeOf(call, error));
  }

  #outcomeOf(call: Call, error: unknown): CallOutcome {
    if (!(error instanceof RolledBack)) return { failure: callFailure(call, error) };
    return this.#refusal === undefined ? { result: error.result } : { failure: this.#refusal };
  }

  #refuse(error: unknown): void {
    const kind = classifyEngineError(error);
    if (kind === 'fatal') throw new FatalStoreError(error);
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    const detail = error instanceof Error ? error.message : String(error);
    this.#refusal =
      kind === 'full'
        ? new Failure('full', 'Insufficient system storage, try again later', { detail })
        : new Failure('unavailable', 'The store is busy, try again later', { detail });
    // Nothing of this batch happened, whatever its operations said.
    const refusal = this.#refusal;
    this.#outcomes = this.#outcomes.map((outcome) => ('failure' in outcome ? outcome : { failure: refusal }));
    this.#tx.notifications = [];
  }

  /** COMMIT with its sync. After it the outcomes are facts. */
  commit(): BatchOutcome {
    if (this.#refusal === undefined) {
      try {
        this.#statements.rows('COMMIT').run();
      } catch (error) {
        this.#refuse(error);
      }
    }
    const { notifications, revision, routingRevision } = this.#tx;
    const movesRights = notifications.some(({ kind }) => kind === 'rights');
    const revisions = this.#refusal === undefined ? { revision, routingRevision, movesRights } : undefined;
    return { outcomes: this.#outcomes, notifications, revisions };
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** An operation's own error: a Failure as it is; a bug or a statement error as `unavailable`, named for the log. */
function callFailure(call: Call, error: unknown): Failure {
  const kind = classifyEngineError(error);
  if (kind === 'full') return new Failure('full', 'Insufficient system storage, try again later', { cause: error });
  const failure = asFailure(error);
  return failure === error
    ? failure
    : new Failure('unavailable', failure.message, { detail: `${call.name}: ${failure.detail}`, cause: error });
}
