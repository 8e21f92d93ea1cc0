// What an operation has read and asks for again: whether the superior is there, whose base it lies below.
//
// In      reads by a key of one table, and the text of each statement that writes
// Out     what was read before, for as long as no statement has written to that table
// States  empty at the beginning of each operation: what one has read and undone must not be seen by the next
// Limits  KEYS_MAX keys of a table, then all of them are forgotten; what is large is not kept (RowsOf.isSmall)

import type { Awaitable, RowsOf } from './operation.ts';

const KEYS_MAX = 2000;

interface Written {
  /** Undefined: any may be. */
  readonly table: string | undefined;
  /** Rows that are there stay as they are. */
  readonly isInsertion: boolean;
}

/** By the text of a statement; the texts are constants of the units, so the map is bounded. */
const writtenBy = new Map<string, Written>();
const WRITES = /^\s*(?:(INSERT(?: OR IGNORE)? INTO)|INSERT OR \w+ INTO|UPDATE(?: OR \w+)?|DELETE FROM)\s+(\w+)/;

function writtenOf(sql: string): Written {
  let written = writtenBy.get(sql);
  if (written === undefined) {
    const found = WRITES.exec(sql);
    const isInsertion = found?.[1] !== undefined && !sql.includes('DO UPDATE');
    writtenBy.set(sql, (written = { table: found?.[2], isInsertion }));
  }
  return written;
}

interface Remembered {
  readonly found: Map<string, unknown>;
  readonly absent: Set<string>;
}

export class OperationMemory {
  readonly #rows = new Map<RowsOf<never>, Remembered>();
  /** Rises with each statement that makes it forget. */
  #forgotten = 0;

  find<T>(of: RowsOf<T>, key: string, read: () => Awaitable<T | undefined>): Awaitable<T | undefined> {
    let rows = this.#rows.get(of);
    if (rows === undefined) this.#rows.set(of, (rows = { found: new Map(), absent: new Set() }));
    const known = rows.found.get(key) as T | undefined;
    if (known !== undefined || rows.absent.has(key)) return known;
    const value = read();
    if (!isPromise(value)) return keep(of, rows, key, value);
    const then = this.#forgotten;
    const to = rows;
    return value.then((found) => (then === this.#forgotten ? keep(of, to, key, found) : found));
  }

  /** Before this statement runs. */
  forgetWritten(sql: string): void {
    if (this.#rows.size === 0) return;
    const { table, isInsertion } = writtenOf(sql);
    for (const [of, { found, absent }] of this.#rows) {
      if (table !== undefined && of.table !== table) continue;
      this.#forgotten++;
      absent.clear();
      if (!isInsertion || !of.isUnique) found.clear();
    }
  }

  clear(): void {
    this.#rows.clear();
    this.#forgotten++;
  }
}

function keep<T>(of: RowsOf<T>, { found, absent }: Remembered, key: string, value: T | undefined): T | undefined {
  if (value !== undefined && of.isSmall?.(value) === false) return value;
  if (found.size + absent.size >= KEYS_MAX) {
    found.clear();
    absent.clear();
  }
  if (value === undefined) absent.add(key);
  else found.set(key, value);
  return value;
}

function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
