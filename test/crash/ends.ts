// Where each accepted recipient has ended: in a mailbox, in a file, in a program, at another host, in the queue, or in a report to the
// sender. One ledger for all ways out: of each place that a message is due at, it has ended in exactly one of them, once.
//
// A place is a recipient's address where it has one, `file NAME`, `program NAME` or `answer to ADDRESS` where an option leads elsewhere.
//
// In      what was sent and answered, with its places; what was found at the end, and where
// Out     problems as sentences; what another host or a program was given again, counted apart: of a connection one delivery at most
// States  acknowledged: each place has an end; refused: none; open: all of them, or none

import type { Fate } from './ledger.ts';

export type End = 'mailbox' | 'file' | 'program' | 'remote' | 'queue' | 'report';

/** Who has taken it and may have the same once more, where a kill comes between that and our commit. */
export type Taker = 'program' | 'remote';

interface Sent {
  readonly places: readonly string[];
  /** Its fate is settled by who got the answer. */
  readonly record: { readonly fate: Fate };
}

export interface Found {
  readonly end: End;
  readonly id: string;
  readonly place: string;
  /**
   * `copy` is the same when a delivery is repeated, and another one when something was made twice. `over` is the connection that brought it: of all
   * that one has brought, one delivery at most may be repeated.
   */
  readonly taken?: { readonly by: Taker; readonly copy: string; readonly over?: number };
}

export class Ends {
  readonly #sent = new Map<string, Sent>();
  readonly #found = new Map<string, End[]>();
  /** Copy to the connection that has brought it last. */
  readonly #copies = new Map<string, number | undefined>();
  /** Connection to what it has brought and another one once more. */
  readonly #repeatedOf = new Map<number, string[]>();
  /** Beyond the first. */
  readonly repeated: Record<Taker, number> = { program: 0, remote: 0 };
  /** By kind, to see that there was a load. */
  readonly counts: Record<End, number> = { mailbox: 0, file: 0, program: 0, remote: 0, queue: 0, report: 0 };
  /** Never answered and there all the same: legal. */
  phantoms = 0;

  open(id: string, places: readonly string[], record: Sent['record']): void {
    this.#sent.set(id, { places, record });
  }

  found({ end, id, place, taken }: Found): void {
    const key = `${id} for ${place}`;
    if (taken !== undefined) {
      const copy = `${key} ${end} ${taken.copy}`;
      const before = this.#copies.get(copy);
      const isRepeat = this.#copies.has(copy);
      this.#copies.set(copy, taken.over);
      if (isRepeat) {
        this.repeated[taken.by]++;
        if (before !== undefined) this.#repeatedOf.set(before, [...(this.#repeatedOf.get(before) ?? []), key]);
        return;
      }
    }
    this.counts[end]++;
    this.#found.set(key, [...(this.#found.get(key) ?? []), end]);
  }

  /** When nothing is under way any more; what was taken has been told in the order of time. */
  check(): string[] {
    const problems: string[] = [];
    const due = new Set<string>();
    for (const [id, { places, record }] of this.#sent) {
      const keys = places.map((place) => `${id} for ${place}`);
      const isThere = keys.some((key) => this.#found.has(key));
      if (record.fate === 'open' && isThere) this.phantoms++;
      for (const key of keys) {
        due.add(key);
        const ends = this.#found.get(key) ?? [];
        if (ends.length > 0 && record.fate === 'refused') problems.push(`${key} was refused, and is in: ${ends[0]!}`);
        if (ends.length > 1) problems.push(`${key} has ended in ${ends.join(' and ')}`);
        if (ends.length === 0 && (record.fate === 'acknowledged' || isThere)) problems.push(`${key} has ended nowhere`);
      }
    }
    for (const [key, ends] of this.#found)
      if (!due.has(key)) problems.push(`${key} is in ${ends.join(' and ')}, where it is not due`);
    for (const [connection, repeated] of this.#repeatedOf)
      if (repeated.length > 1)
        problems.push(
          `of connection ${connection} ${repeated.length} deliveries were repeated: ${repeated.join(', ')}`,
        );
    return problems;
  }
}
