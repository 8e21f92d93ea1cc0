// What is done with the tables as a whole: full synchronizations, proofs; one of a kind at a time, and what the last ones found.
//
// In      who asks: an administrator, the clock once a day
// Out     what was found, remembered in the database, so that a restart knows when the last one was
// Never   holds its thread longer than a page of a proof takes

import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Json } from '../base/json.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { dropHalfBuilt, synchronizeFully } from './rebuild.ts';
import { synchronizeDomain } from './synchronize-domain.ts';
import { noteCheckIn, readCheck, type TableCheck } from './table-checks.ts';
import { type Difference, verifyTables } from './verify.ts';

export interface Synchronized {
  readonly generation: number;
  readonly domains: number;
  readonly addresses: number;
  /** Compared: domains, addresses, rules, channels and hosts. */
  readonly rows: number;
  /** Rows that were not as their entries say, and are now. */
  readonly differences: number;
  readonly seconds: number;
}

export interface Verification {
  readonly revision: number;
  readonly rows: number;
  /** The first thousand. */
  readonly differences: readonly Difference[];
  /** All of them. */
  readonly differing: number;
}

interface SyncRunsParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
}

export const noteCheck = operation('routing.note-check', (tx, check: TableCheck) => noteCheckIn(tx, check));

export class SyncRuns {
  readonly #parts: SyncRunsParts;
  #isFullUnderWay = false;
  #building: { readonly done: number; readonly of: number } | undefined;
  #verifying: Promise<Verification> | undefined;

  constructor(parts: SyncRunsParts) {
    this.#parts = parts;
  }

  /** Entries, while a full synchronization is under way. */
  get building(): { readonly done: number; readonly of: number } | undefined {
    return this.#building;
  }

  /** Throws `unavailable` where one is under way. */
  async full(): Promise<Synchronized> {
    const { writer, clock } = this.#parts;
    if (this.#isFullUnderWay) throw new Failure('unavailable', 'A full synchronization is under way, try again later');
    this.#isFullUnderWay = true;
    const before = clock.monotonic();
    try {
      // What one that failed has left.
      await dropHalfBuilt(writer);
      const steps = synchronizeFully(writer);
      let step = await steps.next();
      for (; step.done !== true; step = await steps.next()) this.#building = step.value;
      const found = { ...step.value, seconds: secondsSince(clock, before) };
      await writer.execute(noteCheck, { kind: 'full', at: clock.now(), result: found });
      return found;
    } finally {
      this.#building = undefined;
      this.#isFullUnderWay = false;
    }
  }

  /** Throws `not-found` for what is no mail domain here. */
  async domain(domain: string): Promise<Synchronized> {
    const { writer, clock } = this.#parts;
    const before = clock.monotonic();
    const steps = synchronizeDomain(writer, domain);
    for (;;) {
      const step = await steps.next();
      if (step.done === true) return { ...step.value, seconds: secondsSince(clock, before) };
    }
  }

  /** One that is under way answers for both. */
  verify(): Promise<Verification> {
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  async #verify(): Promise<Verification> {
    const { reader, writer, clock } = this.#parts;
    const pages = verifyTables(reader);
    for (;;) {
      const page = pages.next();
      if (page.done === true) {
        const { rows, differing } = page.value;
        const result: Json = { rows, differences: differing };
        await writer.execute(noteCheck, { kind: 'verify', at: clock.now(), result });
        return page.value;
      }
      await new Promise((turn) => setImmediate(turn));
    }
  }

  lastFull(): (Synchronized & { readonly at: string }) | undefined {
    return lastOf<Synchronized>(this.#parts.reader, 'full');
  }

  lastVerify(): { readonly at: string; readonly rows: number; readonly differences: number } | undefined {
    return lastOf<{ readonly rows: number; readonly differences: number }>(this.#parts.reader, 'verify');
  }
}

function lastOf<T>(reader: Reader, kind: TableCheck['kind']): (T & { readonly at: string }) | undefined {
  const check = readCheck(reader, kind);
  return check && { at: new Date(check.at).toISOString(), ...(check.result as T) };
}

function secondsSince(clock: Clock, before: number): number {
  return Math.round(clock.monotonic() - before) / 1000;
}
