// Rows that routing or custody holds: which of them are resolved again, and when. Each waits for a row of the routing tables, named by its destination.
//
// In      a start: all of them, of custody those whose domain has come; a commit that moved rows of the routing tables: those that wait for these
// Out     rows of the channel `reprocess`, due at once, SLICE_ROWS an operation; who is held still is held again
// States  idle -> reading what has changed -> releasing -> idle; a change meanwhile is read behind it
// Limits  what has changed more than CHANGES_MAX rows, or before the history begins, releases all
// Errors  what the writer cannot take now is tried again (base/looks.ts). Nothing is kept but in memory: a
//         start releases all
// Never   releases rows of a channel that is paused

import { asFailure } from '../base/failure.ts';
import { idOf, type QueueRowId, type Revision } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Looks } from '../base/looks.ts';
import { operation, type Reader, type Transaction, type Writer } from '../database/operation.ts';
import { readState } from '../routing/generation.ts';
import { changedKeysAfter } from '../routing/history.ts';
import { readRoute } from '../routing/tables.ts';
import { routeWaitedFor } from '../routing/targets.ts';
import { ReprocessChannel } from './channels/reprocess.ts';
import { type HeldForRow, heldDestinationAfter, isAnyHeld, isHeldFor, lastRow } from './queue.ts';

/** Rows of an operation: some milliseconds of the writer. */
const SLICE_ROWS = 500;
const CHANGES_MAX = 10_000;

export interface ReleaseArguments {
  /** What they wait for. */
  readonly destination: string;
  readonly by: HeldForRow;
  /** Rows above `after`, up to and with `last`: who is held again meanwhile is not meant. */
  readonly after: QueueRowId;
  readonly last: QueueRowId;
  /** Names of channels. */
  readonly paused: readonly string[];
}

/** Gives the last row of the slice, undefined at the end. */
export const releaseSlice = operation(
  'transfer.release',
  async (tx, { destination, by, after, last, paused }: ReleaseArguments): Promise<QueueRowId | undefined> => {
    const rows = await tx.all(
      `SELECT id, channel FROM queue WHERE held_by = '${by === 'routing' ? 'routing' : 'custody'}' AND destination = ? AND id > ?
         AND id <= ? ORDER BY id LIMIT +?`,
      destination,
      after,
      last,
      SLICE_ROWS,
    );
    const released = rows.filter(({ channel }) => !paused.includes(String(channel))).map(({ id }) => Number(id));
    await resolveAgain(tx, released);
    const end = rows.at(-1)?.['id'];
    return end === undefined ? undefined : idOf<QueueRowId>(end);
  },
);

/** Held rows are resolved again as soon as they are picked. */
export async function resolveAgain(tx: Transaction, rows: readonly number[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.run(
    `UPDATE queue SET state = 'waiting', held_by = NULL, channel = ?, destination = '', next_attempt = 0
     WHERE state = 'held' AND id IN (SELECT value FROM json_each(?))`,
    ReprocessChannel.kind.name,
    JSON.stringify(rows),
  );
  tx.afterCommit({ kind: 'queue' });
}

export interface ReleaseParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly log: Log;
  /** Names of the channels that are paused now. */
  readonly paused: () => readonly string[];
}

export class Release {
  readonly #parts: ReleaseParts;
  readonly #looks: Looks;
  /** All changes up to this revision have been acted on; undefined: all rows are to be released. */
  #seen: Revision | undefined;

  constructor(parts: ReleaseParts) {
    this.#parts = parts;
    this.#looks = new Looks({
      look: () => this.#look(),
      failed: (error, pauseMs) => {
        const { kind, detail, message } = asFailure(error);
        parts.log.warn('transfer.release', { kind, detail: detail ?? message, pauseMs });
      },
    });
  }

  /** All rows, then those of whatever changes. */
  start(): void {
    this.#looks.start();
  }

  /** Rows of the routing tables may have changed. */
  wake(): void {
    this.#looks.wake();
  }

  /** Resolves when no slice is under way. */
  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #look(): Promise<undefined> {
    const { reader } = this.#parts;
    const { last, changed, revision } = reader.snapshot(() => ({
      last: HOLDERS.some((by) => isAnyHeld(reader, by)) ? lastRow(reader) : undefined,
      changed: this.#changed(),
      revision: reader.routingRevision(),
    }));
    if (last !== undefined) for (const held of changed ?? heldDestinations(reader)) await this.#release(held, last);
    this.#seen = revision;
  }

  /** What rows may wait for and has changed; undefined: anything may have. */
  #changed(): Iterable<Held> | undefined {
    const { reader } = this.#parts;
    const seen = this.#seen;
    if (seen === undefined || seen < readState(reader).historyFrom) return undefined;
    const keys = changedKeysAfter(reader, seen, CHANGES_MAX);
    // What a channel has been told, to wait no more, say, concerns what it holds whatever that waits for.
    if (keys.length === CHANGES_MAX || keys.some(({ kind }) => kind === 'channel')) return undefined;
    const destinations = new Set(keys.map(({ kind, key }) => `${kind} ${key}`));
    // A look costs little, a transaction that finds nothing does not.
    return [...destinations].flatMap((destination) =>
      HOLDERS.filter((by) => isHeldFor(reader, by, destination)).map((by) => ({ destination, by })),
    );
  }

  async #release({ destination, by }: Held, last: QueueRowId): Promise<void> {
    const { reader, writer, paused } = this.#parts;
    if (by === 'custody' && !hasCome(reader, destination)) return;
    let after: QueueRowId | undefined = idOf<QueueRowId>(0);
    while (after !== undefined && !this.#looks.isStopping)
      after = await writer.execute(releaseSlice, { destination, by, after, last, paused: paused() });
  }
}

const HOLDERS: readonly HeldForRow[] = ['routing', 'custody'];

interface Held {
  readonly destination: string;
  readonly by: HeldForRow;
}

function* heldDestinations(reader: Reader): Generator<Held> {
  for (const by of HOLDERS) {
    let destination = heldDestinationAfter(reader, by, '');
    while (destination !== undefined) {
      yield { destination, by };
      destination = heldDestinationAfter(reader, by, destination);
    }
  }
}

/** The domain that it waits for: not before it takes mail, which it does not where its record is still to be seen. */
function hasCome(reader: Reader, destination: string): boolean {
  const domain = routeWaitedFor(destination);
  if (domain === undefined) return false;
  const route = readRoute(reader, readState(reader).generation, domain);
  return route !== null && route.isComing !== true;
}
