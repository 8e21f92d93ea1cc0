// Who has been answered in a user's absence, and with which text. Written in the transaction that accepts the answer: a crash
// neither repeats it nor forgets it.
//
// In      the outcome of the channel `autoreply`, in the transaction that records it
// Out     `replied`, or `ignored` and why, in the journey; the answer is accepted only with the first
// RFC 3834 §2, RFC 5230 §4.2

import type { Json, JsonObject } from '../base/json.ts';
import { operation, type Transaction } from '../database/operation.ts';
import type { JourneyEvent } from './journey.ts';
import type { LocalOperation, LocalResult } from './local-delivery.ts';

export const REPLY = 'transfer.reply';

/** What the channel has to say of a row: nothing is to be answered, or this is. */
export type AutomaticReply =
  | { readonly ignored: string }
  | {
      readonly tenant: number;
      readonly account: number;
      /** Key of whom it goes to. */
      readonly sender: string;
      /** Of the texts, hexadecimal. */
      readonly hash: string;
      readonly timeOutMs: number;
    };

export function replyArguments(reply: AutomaticReply): JsonObject {
  return reply as unknown as JsonObject;
}

export const reply: LocalOperation = async (tx, { rows, args, events, at }) => {
  const results: LocalResult[] = [];
  for (const [index, { recipient }] of rows.entries()) {
    const said = args[index] as Json as unknown as AutomaticReply;
    const why = 'ignored' in said ? said.ignored : await remembered(tx, said, at);
    const event: JourneyEvent =
      why === undefined && !('ignored' in said)
        ? { event: 'replied', recipient, status: `2.0.0 automatically, to ${said.sender}` }
        : { event: 'ignored', recipient, status: `2.0.0 no automatic reply: ${why}` };
    events.push(event);
    results.push(why === undefined ? 'delivered' : 'silent');
  }
  return results;
};

/** Undefined: it is to be answered, and is remembered; or why not. */
async function remembered(
  tx: Transaction,
  { tenant, account, sender, hash, timeOutMs }: Exclude<AutomaticReply, { ignored: string }>,
  at: number,
): Promise<string | undefined> {
  const bytes = Buffer.from(hash, 'hex');
  const known = await tx.get(
    'SELECT hash, at FROM replied WHERE tenant = ? AND account = ? AND sender = ?',
    tenant,
    account,
    sender,
  );
  const isLately = known !== undefined && Number(known['at']) > at - timeOutMs;
  if (isLately && Buffer.compare(Buffer.from(known['hash'] as Uint8Array), bytes) === 0)
    return `the sender has had it on ${new Date(Number(known['at'])).toISOString()}`;
  await tx.run(
    'INSERT OR REPLACE INTO replied (tenant, account, sender, hash, at) VALUES (?, ?, ?, ?, ?)',
    tenant,
    account,
    sender,
    bytes,
    at,
  );
  return undefined;
}

const SLICE = 2000;

/** Removes a slice of what was answered before a time; gives whether there may be more. */
export const forgetReplied = operation('transfer.forgetReplied', async (tx, args: { readonly before: number }) => {
  const gone = await tx.run(
    `DELETE FROM replied WHERE (tenant, account, sender) IN
       (SELECT tenant, account, sender FROM replied WHERE at < ? ORDER BY at LIMIT +?)`,
    args.before,
    SLICE,
  );
  return { more: gone === SLICE };
});
