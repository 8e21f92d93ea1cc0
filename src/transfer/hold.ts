// Rows that nothing works on until somebody lets them go, and rows that are sent another way: by an administrator, or with
// the status of their sender.
//
// In      ids of rows; who holds them, or whose they are to be released; another channel
// Out     held: as they were, but not due. Released: due at once, their expiry counted anew; what routing holds, or is in a channel
//         that holds mail, is resolved again; what waits for moderators is approved. Rerouted: resolved again, or fixed to a channel and host
// States  docs/states.md. Rows that a channel works on (or, rerouted, has begun to: `intent`), and those that only a report is due for, stay as they are
// Order   who holds more firmly holds: routing gives way to a suspension, both to the administrator; moderation and custody give way to none
// Limits  MANAGED_ROWS rows an operation

import type { QueueRowId } from '../base/ids.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { parseAddress } from '../message/address.ts';
import { channelNamed, pausedChannels } from '../routing/channels.ts';
import { stateIn } from '../routing/generation.ts';
import { settingsIn } from '../routing/setting-rows.ts';
import { type RoutingSettings, settingsOf } from '../routing/settings.ts';
import { ReprocessChannel } from './channels/reprocess.ts';
import { continueJourney } from './journey.ts';
import { type Managed, unknownOf } from './manage.ts';
import { type HeldBy, idsText, isToReport, type QueueRow, rowsIn } from './queue.ts';
import { resolveAgain } from './release.ts';

export interface OfRows {
  readonly rows: readonly QueueRowId[];
  /** Wall clock. */
  readonly at: number;
}

/** Whose hold gives way to that of another. */
const GIVES_WAY: Readonly<Record<HeldBy, readonly HeldBy[]>> = {
  routing: [],
  moderation: [],
  custody: [],
  suspended: ['routing'],
  admin: ['routing', 'suspended'],
};

const WORDS: Readonly<Record<HeldBy, string>> = {
  routing: '',
  moderation: 'for its moderators',
  custody: 'until its domain is approved',
  suspended: 'its sender is suspended',
  admin: 'by the administrator',
};

const SUSPENDED_NO_MORE = 'its sender is suspended no more';

export const holdRows = operation(
  'transfer.hold',
  async (tx, { rows, by, at }: OfRows & { readonly by: HeldBy }): Promise<Managed> => {
    const known = await rowsIn(tx, rows);
    const { idle, busy } = idleOf(known);
    const held = idle.filter(({ heldBy }) => heldBy === undefined || GIVES_WAY[by].includes(heldBy));
    await tx.run(
      "UPDATE queue SET state = 'held', held_by = ? WHERE id IN (SELECT value FROM json_each(?))",
      by,
      idsText(held),
    );
    await note(tx, held, { event: 'held', status: `2.0.0 ${WORDS[by]}`, at });
    const others = idle.length - held.length;
    return { changed: held.length, busy, held: others, unknown: unknownOf(rows, known) };
  },
);

/** `by`: only rows that this one holds. */
export const releaseRows = operation(
  'transfer.unhold',
  async (tx, { rows, by, at }: OfRows & { readonly by?: HeldBy }): Promise<Managed> => {
    const known = await rowsIn(tx, rows);
    const held = known.filter(({ heldBy }) => heldBy !== undefined && (by === undefined || heldBy === by));
    const settings = held.length === 0 ? undefined : await settingsOfNow(tx);
    const paused = settings === undefined ? [] : pausedChannels(settings);
    const isOfRouting = ({ channel }: QueueRow): boolean =>
      settings !== undefined && channelNamed(settings, channel)?.channelKind === 'hold';
    // A channel that holds mail, and that is paused, holds it although what it waits for has come.
    const released = held.filter((row) => !(isOfRouting(row) && paused.includes(row.channel)));
    await tx.run(
      'UPDATE queue SET waited = 0, attempts = 0, delays = 0, delay_due = 0 WHERE id IN (SELECT value FROM json_each(?))',
      idsText(released),
    );
    await resolveAgain(
      tx,
      released.filter(isOfRouting).map(({ id }) => id),
    );
    // As a moderator's word does it, or they would be asked again.
    await tx.run(
      `UPDATE queue SET options = json_set(options, '$.target.isApproved', json('true'))
       WHERE held_by = 'moderation' AND json_extract(options, '$.target.derive') IS NOT NULL AND id IN (SELECT value FROM json_each(?))`,
      idsText(released),
    );
    await tx.run(
      `UPDATE queue SET state = 'waiting', held_by = NULL, next_attempt = 0
       WHERE state = 'held' AND id IN (SELECT value FROM json_each(?))`,
      idsText(released),
    );
    if (released.length > 0) tx.afterCommit({ kind: 'queue' });
    await note(tx, released, {
      event: 'released',
      status: `2.0.0 ${by === 'suspended' ? SUSPENDED_NO_MORE : WORDS.admin}`,
      at,
    });
    return { changed: released.length, held: held.length - released.length, unknown: unknownOf(rows, known) };
  },
);

export interface FixedTo {
  /** The name of a channel to other hosts. */
  readonly channel: string;
  /** Undefined: the domain of each recipient. */
  readonly destination?: string;
}

/** Who has been accepted may go on to other hosts, whatever led there. Held rows are released by it. */
export const rerouteRows = operation(
  'transfer.redirect',
  async (tx, { rows, at, to }: OfRows & { readonly to?: FixedTo }): Promise<Managed> => {
    const known = await rowsIn(tx, rows);
    const { idle, busy } = idleOf(known);
    // A list is read here, whoever says what.
    const asked = idle.filter(({ options }) => to === undefined || !options.includes('"list":'));
    const stays = (row: QueueRow): boolean => row.channel === to?.channel && row.destination === destinationOf(row, to);
    // What an attempt has begun is perhaps done: elsewhere it would be done again.
    const { begun = [], sent = [] } = Object.groupBy(asked, (row) =>
      row.intent !== undefined && !stays(row) ? 'begun' : 'sent',
    );
    for (const [destination, some] of Map.groupBy(sent, (row) => destinationOf(row, to)))
      await tx.run(
        `UPDATE queue SET state = 'waiting', held_by = NULL, next_attempt = 0, channel = ?1, destination = ?2,
           options = ${to === undefined ? RESOLVED_AGAIN : FIXED}
         WHERE id IN (SELECT value FROM json_each(?3))`,
        to?.channel ?? ReprocessChannel.kind.name,
        destination,
        idsText(some),
      );
    if (sent.length > 0) tx.afterCommit({ kind: 'queue' });
    for (const [message, some] of Map.groupBy(sent, (row) => row.message))
      await continueJourney(
        tx,
        message,
        at,
        some.map(({ recipient, channel, destination }) => ({
          event: 'rerouted' as const,
          recipient,
          status: `2.0.0 by the administrator, no longer by ${channel}${destination === '' ? '' : ` to ${destination}`}`,
        })),
      );
    const left = { busy, begun: begun.length, lists: idle.length - asked.length };
    return { changed: sent.length, ...left, unknown: unknownOf(rows, known) };
  },
);

const MAY_RELAY = "'$.request.mayRelay', json('true')";
/** Who waits on this host has perhaps been accepted on condition that it is here. */
const RESOLVED_AGAIN = `CASE WHEN destination = '' THEN json_remove(options, '$.target.isFixed')
  ELSE json_set(json_remove(options, '$.target.isFixed'), ${MAY_RELAY}) END`;
/** Its key says where it goes: two rows of a recipient that go the same way are one delivery. */
const FIXED = `json_set(options, ${MAY_RELAY}, '$.target.isFixed', json('true'),
  '$.key', ?1 || ' ' || ?2 || ' ' || recipient)`;

function destinationOf({ recipient }: QueueRow, to: FixedTo | undefined): string {
  if (to === undefined) return '';
  return to.destination ?? (recipient.includes('@') ? parseAddress(recipient).domain : recipient);
}

async function settingsOfNow(tx: Transaction): Promise<RoutingSettings> {
  const { generation } = await stateIn(tx);
  return settingsOf(await settingsIn(tx, generation));
}

/** What may be held or sent another way, and how many rows a channel works on. */
function idleOf(known: readonly QueueRow[]): { readonly idle: readonly QueueRow[]; readonly busy: number } {
  return {
    idle: known.filter((row) => row.lease === 0 && !isToReport(row)),
    busy: known.filter((row) => row.lease > 0).length,
  };
}

/** An event of each row. */
async function note(
  tx: Transaction,
  rows: readonly QueueRow[],
  { event, status, at }: { readonly event: 'held' | 'released'; readonly status: string; readonly at: number },
): Promise<void> {
  for (const [message, some] of Map.groupBy(rows, (row) => row.message))
    await continueJourney(
      tx,
      message,
      at,
      some.map(({ recipient }) => ({ event, recipient, status })),
    );
}
