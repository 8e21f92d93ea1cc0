// The writer's half of the channel `list`: messages are held for their moderators, and go on, or back, when one has decided.
//
// In      rows of the channel, each with what is to be done (ListDecision)
// Out     for each a result; of a verdict the row that waits for it is changed in the same transaction
// States  waiting -> held by `moderation` -> approved: waiting, and made anew for the members; refused: failed. Approved while
//         its sender is suspended: held by `suspended`
// Order   the first verdict wins; one that comes while another is written is tried again, and then finds it done

import { idOf, type QueueRowId } from '../../base/ids.ts';
import type { Json, JsonObject } from '../../base/json.ts';
import type { Reader, Transaction } from '../../database/operation.ts';
import { addressKey, tryParseAddress } from '../../message/address.ts';
import { stateIn } from '../../routing/generation.ts';
import { aliasIn } from '../../routing/tables.ts';
import type { ModeratorVerdict } from '../../routing/tokens.ts';
import { failUnattempted } from '../fail.ts';
import { continueJourney } from '../journey.ts';
import type { LocalOperation, LocalResult } from '../local-delivery.ts';
import { outcome } from '../outcome.ts';
import { carriedBy, encodeCarried, type QueueRow, rowsIn } from '../queue.ts';
import { forwarderIn } from '../sent-on.ts';

export const LIST = 'transfer.list';

export type ListDecision =
  /** Its moderators have been asked, by the mail that comes with this. */
  | { readonly do: 'hold'; readonly asked: number }
  | { readonly do: 'ignore'; readonly why: string }
  | ({ readonly do: 'decide'; readonly refusal: string } & ModeratorVerdict);

export function listWork(work: ListDecision): JsonObject {
  return work as unknown as JsonObject;
}

const LATER = outcome('deferred', '4.3.0', 'Another moderator is deciding');

export const listOperation: LocalOperation = async (tx, { rows, args, events, at }) => {
  const results: LocalResult[] = [];
  for (const [index, row] of rows.entries()) {
    const work = args[index] as Json as unknown as ListDecision;
    switch (work.do) {
      case 'hold':
        await tx.run("UPDATE queue SET state = 'held', held_by = 'moderation', lease = 0 WHERE id = ?", row.id);
        events.push({ event: 'held', recipient: row.recipient, status: `2.0.0 for ${work.asked} moderators` });
        results.push('kept');
        break;
      case 'ignore':
        events.push({ event: 'ignored', recipient: row.recipient, status: `2.0.0 ${work.why}` });
        results.push('silent');
        break;
      case 'decide':
        results.push((await decide(tx, work, at)) ? 'delivered' : LATER);
        break;
      default:
        work satisfies never;
    }
  }
  return results;
};

/** The list, by its entry, whose moderators this row waits for; undefined: it waits for none any more. */
export function listThatWaits(reader: Reader, id: number): number | undefined {
  const row = reader.get("SELECT channel, destination, options FROM queue WHERE id = ? AND held_by = 'moderation'", id);
  if (row === undefined) return undefined;
  const { channel, destination, options } = row;
  const { target } = carriedBy({
    channel: String(channel),
    destination: String(destination),
    options: String(options),
  });
  return Number(target.options['derive']);
}

async function decide(
  tx: Transaction,
  { row: id, verb, moderator, refusal }: ModeratorVerdict & { readonly refusal: string },
  at: number,
): Promise<boolean> {
  const [row] = (await rowsIn(tx, [idOf<QueueRowId>(id)])).filter(({ heldBy }) => heldBy === 'moderation');
  if (row === undefined) return false;
  if (verb === 'approve') await approve(tx, row, { moderator, at });
  else await failUnattempted(tx, row.message, [row], { status: '5.7.1', words: refusal, at });
  tx.afterCommit({ kind: 'queue' });
  return true;
}

async function approve(
  tx: Transaction,
  row: QueueRow,
  { moderator, at }: { readonly moderator: string; readonly at: number },
): Promise<void> {
  const carried = carriedBy(row);
  const target = { ...carried.target, options: { ...carried.target.options, isApproved: true } };
  const isHeld = await isSuspendedIn(tx, row);
  await tx.run(
    'UPDATE queue SET state = ?, held_by = ?, next_attempt = 0, options = ? WHERE id = ?',
    isHeld ? 'held' : 'waiting',
    isHeld ? 'suspended' : null,
    encodeCarried({ ...carried, target }),
    row.id,
  );
  const status = `2.0.0 approved by ${moderator}`;
  await continueJourney(tx, row.message, at, [{ event: 'released', recipient: row.recipient, status }]);
}

/** The sender, or who has sent it on: a suspension does not hold what is held for moderators. */
async function isSuspendedIn(tx: Transaction, { sender, prefix }: QueueRow): Promise<boolean> {
  const { generation } = await stateIn(tx);
  for (const owner of [sender, forwarderIn(prefix)]) {
    const address = tryParseAddress(owner);
    const row = address === undefined ? null : await aliasIn(tx, generation, addressKey(address));
    if (row?.kind === 'user' && row.isSuspended === true) return true;
  }
  return false;
}
