// Mail in custody that has waited in vain: its domain was refused, or has not come in time: nobody has said a word, or its
// record was not seen.
//
// In      a start, a new tombstone, every hour; the clock
// Out     rows to the site postmaster, or failed where the sender had logged in (custody.ts); SLICE_ROWS a transaction
// States  base/looks.ts
// Limits  it looks at the domains that have mail in custody, CUSTODY_MESSAGES at most

import type { Clock } from '../base/clock.ts';
import { DAY_MS, HOUR_MS } from '../base/duration.ts';
import { asFailure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { Looks } from '../base/looks.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { tombstoneOf } from '../provisioning/tombstones.ts';
import { routeWaitedFor } from '../routing/targets.ts';
import { failUnattempted } from './fail.ts';
import { heldDestinationAfter, queueRow } from './queue.ts';

const CUSTODY_MS = 3 * DAY_MS;
const SLICE_ROWS = 500;
const LOOK_MS = HOUR_MS;

interface EndCustodyArguments {
  /** What waits for this; or, without it, whatever waits. */
  readonly destination?: string;
  /** That came before. */
  readonly before: number;
  readonly status: string;
  readonly words: string;
  readonly now: number;
}

const REFUSED = { status: '5.7.1', words: 'The domain has been refused here' };
const UNDECIDED = { status: '5.4.7', words: 'The domain has not become one of ours in time' };

/** Gives how many rows there were. */
export const endCustody = operation('transfer.endCustody', async (tx, args: EndCustodyArguments): Promise<number> => {
  const { destination, before, status, words, now } = args;
  const rows = (
    await tx.all(
      `SELECT * FROM queue WHERE held_by = 'custody' AND created <= ? AND ${destination === undefined ? '?2 IS NULL' : 'destination = ?2'}
       ORDER BY message LIMIT ${SLICE_ROWS}`,
      before,
      destination ?? null,
    )
  ).map(queueRow);
  for (const [message, own] of Map.groupBy(rows, (row) => row.message))
    await failUnattempted(tx, message, own, { status, words, at: now });
  return rows.length;
});

export interface CustodyWatchParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
}

export class CustodyWatch {
  readonly #parts: CustodyWatchParts;
  readonly #looks: Looks;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: CustodyWatchParts) {
    this.#parts = parts;
    this.#looks = new Looks({
      look: () => this.#look(),
      failed: (error, pauseMs) => {
        const { kind, detail, message } = asFailure(error);
        parts.log.warn('transfer.custody', { kind, detail: detail ?? message, pauseMs });
      },
    });
  }

  start(): void {
    this.#looks.start();
    this.#timer = setInterval(() => this.#looks.wake(), LOOK_MS).unref();
  }

  /** A name has been refused. */
  wake(): void {
    this.#looks.wake();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looks.stop();
  }

  async #look(): Promise<undefined> {
    const { reader, clock } = this.#parts;
    const now = clock.now();
    let isAny = false;
    let destination = heldDestinationAfter(reader, 'custody', '');
    while (destination !== undefined && !this.#looks.isStopping) {
      isAny = true;
      const domain = routeWaitedFor(destination);
      if (domain !== undefined && tombstoneOf(reader, domain) !== undefined)
        await this.#end({ destination, before: now, ...REFUSED, now });
      destination = heldDestinationAfter(reader, 'custody', destination);
    }
    if (isAny) await this.#end({ before: now - CUSTODY_MS, ...UNDECIDED, now });
  }

  async #end(args: EndCustodyArguments): Promise<void> {
    const { writer, log } = this.#parts;
    let ended = 0;
    for (let slice = SLICE_ROWS; slice === SLICE_ROWS && !this.#looks.isStopping; ended += slice)
      slice = await writer.execute(endCustody, args);
    const { destination, words } = args;
    if (ended > 0)
      log.info('transfer.custody', {
        ...(destination === undefined ? {} : { destination }),
        recipients: ended,
        reason: words,
      });
  }
}
