// The queue of a user who is suspended: the user's mail is held, and goes on once the user is suspended no more.
//
// In      notifications of commits, each with the entry; at a start every sender that the queue has
// Out     rows of that sender, and of what the user has sent on, held or released, SLICE rows an operation; those of users who
//         are here no more fail with 5.7.1, their automatic replies go
// States  what a channel works on just now is looked at again until it has come to an end. What comes later, forwards and
//         replies of the user, is held by routing; new mail the doors refuse; what a moderator approves, list/decide.ts holds
// Order   at a start the first look comes before anything is sent
// Never   holds reports: they have no sender

import { setImmediate as nextTurn } from 'node:timers/promises';
import { asciiLower } from '../base/characters.ts';
import { asFailure } from '../base/failure.ts';
import { idOf, type QueueRowId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { formatAddress } from '../message/address.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Site } from '../routing/resolve.ts';
import { addressOfKey } from '../routing/rows.ts';
import { standingOfUuid } from '../routing/standing.ts';
import { failUnattempted } from './fail.ts';
import { forwarderIn } from './forward.ts';
import { holdRows, releaseRows } from './hold.ts';
import { carriedBy, type QueueRow, rowsIn } from './queue.ts';
import { endRows } from './record.ts';

const SLICE = 2000;
const LOOK_AGAIN_MS = 1000;

export interface SuspensionParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly routing: Pick<RoutingCache, 'findLogin' | 'route'>;
  readonly site: Site;
  readonly log: Log;
  readonly clock: { now(): number };
}

const OWNER_GONE = { status: '5.7.1', words: 'It was held for a user who is here no more' };

/** Nobody is left whose suspension could end. */
export const failSuspended = operation(
  'transfer.failSuspended',
  async (tx, { rows: ids, at }: { readonly rows: readonly QueueRowId[]; readonly at: number }) => {
    const rows = (await rowsIn(tx, ids)).filter(({ heldBy }) => heldBy === 'suspended');
    for (const [message, own] of Map.groupBy(rows, (row) => row.message)) {
      const { replies = [], mail = [] } = Object.groupBy(own, (row) => (isReply(row) ? 'replies' : 'mail'));
      // Nobody has sent them: there is nobody to tell.
      await endRows(
        tx,
        message,
        replies.map(({ id }) => id),
      );
      if (mail.length > 0) await failUnattempted(tx, message, mail, { ...OWNER_GONE, at });
    }
    return { changed: rows.length };
  },
);

/** What a user does on receipt of a message, and not what becomes of it. */
function isReply(row: QueueRow): boolean {
  try {
    const { by, to } = carriedBy(row).target.options;
    return by !== undefined && to === undefined;
  } catch {
    return false;
  }
}

/** What the queue says of a row. */
interface SentRow {
  readonly id: QueueRowId;
  /** Whose suspension holds it: the sender's, and that of who has sent it on or answers. Addresses in lower case. */
  readonly owners: readonly string[];
  /** Of them, who has sent it on or answers: always of ours. */
  readonly forwarders: readonly string[];
  readonly isLeased: boolean;
  readonly isHeld: boolean;
}

export class Suspension {
  readonly #parts: SuspensionParts;
  #work: Promise<void> = Promise.resolve();
  #isStopped = false;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(parts: SuspensionParts) {
    this.#parts = parts;
  }

  /** What an earlier run was told and has not done. Resolves when it is done; throws what the writer throws. */
  async start(): Promise<void> {
    await this.#allSenders();
  }

  /** The entry's status has changed. */
  changed(uuid: string): void {
    this.#soon(() => this.#ofEntry(uuid));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#work;
  }

  /** One after the other: what is held is not released by who has looked before. */
  #soon(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#isStopped) return;
      try {
        await work();
      } catch (error) {
        this.#parts.log.error('transfer.suspend', { detail: asFailure(error).message });
        this.#again(work);
      }
    });
  }

  #again(work: () => Promise<void>): void {
    if (this.#isStopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#soon(work);
    }, LOOK_AGAIN_MS);
    this.#timers.add(timer.unref());
  }

  async #ofEntry(uuid: string): Promise<void> {
    const { reader, site } = this.#parts;
    const login = standingOfUuid(reader, site, uuid)?.login;
    if (login === undefined) return this.#allSenders();
    const addresses = new Set(login.addresses.map((key) => formatAddress(addressOfKey(key))));
    const isBusy = await this.#look((row) => row.owners.some((owner) => addresses.has(owner)));
    if (isBusy) this.#again(() => this.#ofEntry(uuid));
  }

  /** Of an entry that is gone nobody knows the addresses. */
  async #allSenders(): Promise<void> {
    await this.#look(() => true);
  }

  /** A page a turn. Whether one of the rows is to be held and a channel works on it. */
  async #look(isMeant: (row: SentRow) => boolean): Promise<boolean> {
    const known = new Map<string, boolean | undefined>();
    /** Undefined for who is nobody here: nothing is held for them. */
    const isSuspended = (address: string): boolean | undefined => {
      if (!known.has(address)) {
        const { routing } = this.#parts;
        // Most senders are people of other hosts: their domain is asked for once.
        const isHere = routing.route(address.slice(address.lastIndexOf('@') + 1)) !== undefined;
        const login = isHere ? routing.findLogin(address) : undefined;
        known.set(address, login && login.isSuspended === true);
      }
      return known.get(address);
    };
    let after = 0;
    let isBusy = false;
    while (!this.#isStopped) {
      const rows = readPage(this.#parts.reader, after);
      if (rows.length === 0) break;
      after = rows.at(-1)!.id;
      const meant = rows.filter(isMeant).map((row) => ({ ...row, said: row.owners.map(isSuspended) }));
      const toHold = meant.filter(({ isHeld, said }) => !isHeld && said.includes(true));
      const free = meant.filter(({ isHeld, said }) => isHeld && !said.includes(true));
      const isGone = ({ forwarders, said }: (typeof free)[number]): boolean =>
        !said.includes(false) || forwarders.some((each) => isSuspended(each) === undefined);
      const [toFail, toRelease] = [free.filter(isGone), free.filter((row) => !isGone(row))];
      await this.#change(toHold, holdRows);
      await this.#change(toRelease, releaseRows);
      await this.#change(toFail, failSuspended);
      isBusy ||= toHold.some(({ isLeased }) => isLeased);
      await nextTurn();
    }
    return isBusy;
  }

  async #change(
    rows: readonly SentRow[],
    operation: typeof holdRows | typeof releaseRows | typeof failSuspended,
  ): Promise<void> {
    const ids = rows.filter(({ isLeased }) => !isLeased).map(({ id }) => id);
    if (ids.length === 0) return;
    const { writer, clock, log } = this.#parts;
    const { changed } = await writer.execute(operation as typeof holdRows, {
      rows: ids,
      by: 'suspended',
      at: clock.now(),
    });
    if (changed > 0) log.info('transfer.suspend', { rows: changed, does: operation.name });
  }
}

/** Of rows that are still to be delivered. */
function readPage(reader: Reader, after: number): SentRow[] {
  return reader
    .arrays(
      `SELECT id, CASE WHEN state IN ('waiting', 'held') THEN sender ELSE '' END, prefix,
         CASE WHEN channel IN ('forward', 'autoreply') THEN json_extract(options, '$.target.by') END, held_by, lease
       FROM queue WHERE id > ? ORDER BY id LIMIT +?`,
      after,
      SLICE,
    )
    .map(([id, sender, prefix, by, heldBy, lease]) => {
      const known = (owners: readonly string[]): string[] => owners.filter((owner) => owner !== '').map(asciiLower);
      const forwarders = known([forwarderIn(String(prefix ?? '')), String(by ?? '')]);
      return {
        id: idOf<QueueRowId>(id),
        owners: [...known([String(sender)]), ...forwarders],
        forwarders,
        isLeased: Number(lease) > 0,
        isHeld: heldBy === 'suspended',
      };
    });
}
