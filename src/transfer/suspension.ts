// The queue of a user who is suspended: the user's mail is held, and goes on once the user is suspended no more.
//
// In      notifications of commits, each with the entry; at a start every sender that the queue has
// Out     rows of that sender, and of what the user has sent on, held or released, SLICE rows an operation; those of users who
//         are here no more fail with 5.7.1, their automatic replies go
// States  idle <-> looking (base/looks.ts). What a channel works on just now is looked at again until it has come to an end. What comes
//         later, forwards and replies of the user, is held by routing; new mail the doors refuse; what a moderator approves,
//         list/decide.ts holds
// Order   a start does not wait until the whole queue has been looked at: until then what is about to be sent is looked at first (`free`)
// Never   holds reports: they have no sender

import { setImmediate as nextTurn } from 'node:timers/promises';
import { asciiLower } from '../base/characters.ts';
import { asFailure } from '../base/failure.ts';
import { idOf, type QueueRowId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Looks } from '../base/looks.ts';
import { operation, type Reader, type Value, type Writer } from '../database/operation.ts';
import { formatAddress } from '../message/address.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Site } from '../routing/resolve.ts';
import { addressOfKey } from '../routing/rows.ts';
import { standingOfUuid } from '../routing/standing.ts';
import { failUnattempted } from './fail.ts';
import { holdRows, type OfRows, releaseRows } from './hold.ts';
import type { Managed } from './manage.ts';
import { carriedBy, idsText, type QueueRow, rowsIn } from './queue.ts';
import { endRows } from './record.ts';
import { forwarderIn } from './sent-on.ts';

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
  async (tx, { rows: ids, at }: OfRows): Promise<Pick<Managed, 'changed'>> => {
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
  readonly #looks: Looks;
  /** UUIDs of entries that have changed. */
  readonly #changed = new Set<string>();
  /** Every sender is to be looked at: what an earlier run was told and has not done, and what an entry that is gone had sent. */
  #isAllWanted = true;
  /** No look has come to the end of the queue yet. */
  #isUnknown = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SuspensionParts) {
    this.#parts = parts;
    this.#looks = new Looks({
      look: () => this.#look(),
      failed: (error) => parts.log.error('transfer.suspend', { detail: asFailure(error).message }),
    });
  }

  start(): void {
    this.#looks.start();
  }

  /** The whole queue has been looked at, and nothing that was to be held is worked on. */
  get isThrough(): boolean {
    return !this.#isUnknown && !this.#isAllWanted;
  }

  /** The entry's status has changed. */
  changed(uuid: string): void {
    this.#changed.add(uuid);
    this.#looks.wake();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#looks.stop();
    clearTimeout(this.#timer);
  }

  /**
   * Of rows that nobody works on those that may be sent; the others are held by then. As they are, once the queue has been looked
   * through. Throws what the writer throws.
   */
  async free(rows: readonly QueueRow[]): Promise<readonly QueueRow[]> {
    if (!this.#isUnknown || rows.length === 0) return rows;
    const judged = readRows(this.#parts.reader, rows).map(this.#judging());
    const held = judged.filter(({ verdict }) => verdict === 'hold').map(({ row }) => row);
    await this.#hold(held);
    const ids = new Set(held.map(({ id }) => id));
    return ids.size === 0 ? rows : rows.filter(({ id }) => !ids.has(id));
  }

  async #look(): Promise<undefined> {
    const changed = [...this.#changed];
    this.#changed.clear();
    try {
      const addresses = this.#addressesOf(changed);
      if (this.#isAllWanted || addresses === undefined) {
        this.#isAllWanted = true;
        const isBusy = await this.#lookAt(() => true);
        if (this.#looks.isStopping) return;
        this.#isUnknown = false;
        this.#isAllWanted = isBusy;
      } else if (addresses.size > 0) {
        const isBusy = await this.#lookAt((row) => row.owners.some((owner) => addresses.has(owner)));
        if (isBusy) for (const uuid of changed) this.#changed.add(uuid);
      }
    } catch (error) {
      for (const uuid of changed) this.#changed.add(uuid);
      throw error;
    }
    if (this.#isAllWanted || this.#changed.size > 0) this.#lookAgain();
  }

  #lookAgain(): void {
    if (this.#looks.isStopping) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#looks.wake(), LOOK_AGAIN_MS).unref();
  }

  /** Undefined: of an entry that is gone nobody knows the addresses. */
  #addressesOf(uuids: readonly string[]): ReadonlySet<string> | undefined {
    const { reader, site } = this.#parts;
    const addresses = new Set<string>();
    for (const uuid of uuids) {
      const login = standingOfUuid(reader, site, uuid)?.login;
      if (login === undefined) return undefined;
      for (const key of login.addresses) addresses.add(formatAddress(addressOfKey(key)));
    }
    return addresses;
  }

  /** A page a turn. Whether one of the rows is to be held and a channel works on it. */
  async #lookAt(isMeant: (row: SentRow) => boolean): Promise<boolean> {
    const { reader } = this.#parts;
    const judge = this.#judging();
    let after = 0;
    let isBusy = false;
    while (!this.#looks.isStopping) {
      const rows = readPage(reader, after);
      if (rows.length === 0) break;
      after = rows.at(-1)!.id;
      const {
        hold = [],
        release = [],
        fail = [],
      } = Object.groupBy(rows.filter(isMeant).map(judge), (one) => one.verdict);
      const [toHold, toRelease, toFail] = [hold, release, fail].map((some) => some.map(({ row }) => row));
      await this.#hold(toHold!);
      await this.#change(releaseRows.name, toRelease!, (change) => this.#parts.writer.execute(releaseRows, change));
      await this.#change(failSuspended.name, toFail!, (change) => this.#parts.writer.execute(failSuspended, change));
      isBusy ||= toHold!.some(({ isLeased }) => isLeased);
      await nextTurn();
    }
    return isBusy;
  }

  /** What is to become of a row. Each address is asked for once. */
  #judging(): (row: SentRow) => { readonly row: SentRow; readonly verdict: 'hold' | 'release' | 'fail' | 'stay' } {
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
    return (row) => {
      const { owners, forwarders, isHeld } = row;
      const said = owners.map(isSuspended);
      if (said.includes(true)) return { row, verdict: isHeld ? 'stay' : 'hold' };
      if (!isHeld) return { row, verdict: 'stay' };
      const isGone = !said.includes(false) || forwarders.some((each) => isSuspended(each) === undefined);
      return { row, verdict: isGone ? 'fail' : 'release' };
    };
  }

  #hold(rows: readonly SentRow[]): Promise<void> {
    return this.#change(holdRows.name, rows, (change) => this.#parts.writer.execute(holdRows, change));
  }

  /** What a channel works on stays as it is. */
  async #change(
    does: string,
    rows: readonly SentRow[],
    write: (change: OfRows & { readonly by: 'suspended' }) => Promise<Pick<Managed, 'changed'>>,
  ): Promise<void> {
    const ids = rows.filter(({ isLeased }) => !isLeased).map(({ id }) => id);
    if (ids.length === 0) return;
    const { clock, log } = this.#parts;
    const { changed } = await write({ rows: ids, by: 'suspended', at: clock.now() });
    if (changed > 0) log.info('transfer.suspend', { rows: changed, does });
  }
}

const SENT = `SELECT id, CASE WHEN state IN ('waiting', 'held') THEN sender ELSE '' END, prefix,
  CASE WHEN channel IN ('forward', 'autoreply') THEN json_extract(options, '$.target.by') END, held_by, lease FROM queue`;

/** Of rows that are still to be delivered. */
function readPage(reader: Reader, after: number): SentRow[] {
  return reader.arrays(`${SENT} WHERE id > ? ORDER BY id LIMIT +?`, after, SLICE).map(sentRow);
}

function readRows(reader: Reader, rows: readonly QueueRow[]): SentRow[] {
  return reader.arrays(`${SENT} WHERE id IN (SELECT value FROM json_each(?))`, idsText(rows)).map(sentRow);
}

function sentRow([id, sender, prefix, by, heldBy, lease]: readonly Value[]): SentRow {
  const known = (owners: readonly string[]): string[] => owners.filter((owner) => owner !== '').map(asciiLower);
  const forwarders = known([forwarderIn(String(prefix ?? '')), String(by ?? '')]);
  return {
    id: idOf<QueueRowId>(id),
    owners: [...known([String(sender)]), ...forwarders],
    forwarders,
    isLeased: Number(lease) > 0,
    isHeld: heldBy === 'suspended',
  };
}
