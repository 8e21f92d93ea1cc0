// A database for tests: the real engine, format and batches, with the writer in this thread.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { Batch } from './batch.ts';
import { openForWriting, openReader, Statements } from './connection.ts';
import { migrate, type Unit } from './format.ts';
import type { Notification, Operation, Reader, Writer } from './operation.ts';
import { SharedState } from './shared.ts';

export interface TestDatabase {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly shared: SharedState;
  readonly directory: string;
  readonly path: string;
  /** Gives what ends it. */
  onNotification(listener: (notification: Notification) => void): () => void;
  close(): void;
}

/** `at`: a directory that stays, for a test whose processes come and go. */
export function openTestDatabase(units: readonly Unit[], at?: string): TestDatabase {
  const directory = at ?? mkdtempSync(join(tmpdir(), 'waypost-test-'));
  const path = join(directory, 'store.db');
  const database = openForWriting(path, 'OFF');
  migrate(database, { units });
  const statements = new Statements(database);
  const shared = new SharedState();
  const { reader, close } = openReader(path);
  shared.publish({ revision: reader.revision(), routingRevision: reader.routingRevision() });
  const listeners: ((notification: Notification) => void)[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const writer: Writer = {
    execute<A, R>(operation: Operation<A, R>, args: A): Promise<R> {
      const run = async (): Promise<R> => {
        const operations = new Map([[operation.name, operation as unknown as Operation<never, unknown>]]);
        const batch = new Batch(database, statements, operations);
        await batch.add({ name: operation.name, args: structuredClone(args) });
        const { outcomes, notifications, revisions } = batch.commit();
        shared.publish(revisions);
        for (const notification of notifications) for (const listener of listeners) listener(notification);
        const outcome = outcomes[0]!;
        if ('failure' in outcome) throw outcome.failure;
        return structuredClone(outcome.result) as R;
      };
      const next = last.then(run, run);
      last = next.catch(() => {});
      return next;
    },
  };
  return {
    reader,
    writer,
    shared,
    directory,
    path,
    onNotification(listener) {
      listeners.push(listener);
      return () => void listeners.splice(listeners.indexOf(listener), 1);
    },
    close() {
      close();
      database.close();
      if (at === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** From here on all statements are counted that this process executes, on any connection: gives how many so far. */
export function countStatements(): () => number {
  let executed = 0;
  for (const method of ['run', 'get', 'all', 'iterate'] as const) {
    const original = StatementSync.prototype[method] as (...parameters: unknown[]) => unknown;
    StatementSync.prototype[method] = function (this: StatementSync, ...parameters: unknown[]) {
      executed++;
      return original.apply(this, parameters);
    } as never;
  }
  return () => executed;
}

/** From here on all statements are kept that this process executes. */
export function keepStatements(): ReadonlySet<string> {
  const kept = new Set<string>();
  for (const method of ['run', 'get', 'all', 'iterate'] as const) {
    const original = StatementSync.prototype[method] as (...parameters: unknown[]) => unknown;
    StatementSync.prototype[method] = function (this: StatementSync, ...parameters: unknown[]) {
      kept.add(this.sourceSQL);
      return original.apply(this, parameters);
    } as never;
  }
  return kept;
}

/** How SQLite goes about a statement, a line for each table; none for what is no query. */
export function planOf(path: string, sql: string): readonly string[] {
  if (!/^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/.test(sql)) return [];
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail));
  } finally {
    database.close();
  }
}
