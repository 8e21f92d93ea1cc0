// The store channel: recipients of a message who are ours, delivered in the transaction that removes their rows.
//
// In      rows of one message, at most STORE_SLICE
// Out     references in INBOXes; what cannot be delivered now waits, what never can fails: all in one operation, so that
//         a crash repeats nothing
// Order   each recipient is resolved again, over the tables of this very transaction: it may have been renamed, removed
//         or put over quota since it was queued, or become a list
// Never   waits for anything but the transaction

import { isAccepted, isTemporary } from '../../base/reply.ts';
import { type Operation, operation, type Transaction } from '../../database/operation.ts';
import type { Resolution, Site } from '../../routing/resolve.ts';
import { LoadedTables, resolveIn } from '../../routing/resolve-in.ts';
import { addReferences, deliverToInboxes } from '../../store/deliver.ts';
import type { Timing } from '../clock.ts';
import { continueJourney, type JourneyEvent } from '../journey.ts';
import { type Outcome, outcome } from '../outcome.ts';
import { GONE, gather, parseRecipient, place } from '../place.ts';
import { type QueueRow, rowsIn } from '../queue.ts';
import { endRows, settle } from '../record.ts';

/** Rows an operation: some milliseconds of the writer. */
export const STORE_SLICE = 200;

export interface StoreArguments {
  readonly message: { readonly id: number; readonly received: number; readonly size: number };
  /** Ids of rows in the state `waiting`. */
  readonly rows: readonly number[];
  readonly timing: Timing;
  readonly at: number;
}

export interface Stored {
  readonly delivered: number;
  readonly others: number;
}

export function storeOperation(site: Site): Operation<StoreArguments, Stored> {
  return operation('transfer.store', (tx, args) => store(tx, args, site));
}

interface Mailbox {
  readonly row: QueueRow;
  readonly account: number;
}

const DELIVERED = outcome('delivered', '2.1.5', 'mailbox');
const NO_INBOX = outcome('deferred', '4.3.0', 'The account has no INBOX');

async function store(tx: Transaction, args: StoreArguments, site: Site): Promise<Stored> {
  const { message, timing, at } = args;
  const rows = (await rowsIn(tx, args.rows)).filter((row) => row.state === 'waiting' && row.channel === 'store');
  const loaded = new LoadedTables();
  const done: number[] = [];
  const events: JourneyEvent[] = [];
  const mailboxes: Mailbox[] = [];
  for (const row of rows) {
    const resolution = await resolveIn(tx, parseRecipient(row.recipient), site, {}, loaded);
    const refused = refusal(resolution);
    const account = singleAccount(resolution);
    if (refused !== undefined) events.push(await settle(tx, row, refused, timing, done));
    else if (account !== undefined) mailboxes.push({ row, account });
    else events.push(...(await placeAgain(tx, args, row, resolution, done)));
  }
  const missing = await deliver(tx, message, mailboxes);
  for (const { row, account } of mailboxes)
    events.push(await settle(tx, row, missing.has(account) ? NO_INBOX : DELIVERED, timing, done));
  await endRows(tx, message.id, done);
  await continueJourney(tx, message.id, at, events);
  return { delivered: mailboxes.length, others: rows.length - mailboxes.length };
}

/** A domain that has become foreign: nobody knows any more whether the sender might relay. */
function refusal({ relay, reply }: Resolution): Outcome | undefined {
  const said = relay ? GONE : reply;
  if (isAccepted(said)) return undefined;
  return outcome(
    isTemporary(said) ? 'deferred' : 'failed',
    said.enhanced,
    `${said.code} ${said.enhanced} ${said.text}`,
  );
}

/** The usual case: the recipient is one user. */
function singleAccount({ targets, failures }: Resolution): number | undefined {
  const [target] = targets;
  return targets.length === 1 && failures.length === 0 && target?.channel === 'store' ? target.account : undefined;
}

/** Gives the accounts that have no INBOX. */
async function deliver(
  tx: Transaction,
  message: StoreArguments['message'],
  mailboxes: readonly Mailbox[],
): Promise<ReadonlySet<number>> {
  if (mailboxes.length === 0) return new Set();
  // Two addresses of one account are one copy.
  const accounts = [...new Set(mailboxes.map(({ account }) => account))];
  const missing = new Set(await deliverToInboxes(tx, message, accounts));
  // The mailboxes' own references; those of the rows go with them.
  await addReferences(tx, message.id, accounts.length - missing.size);
  return missing;
}

/** The recipient has become a list, or one that is elsewhere: its row is replaced by those of its targets. */
async function placeAgain(
  tx: Transaction,
  { message, at }: StoreArguments,
  row: QueueRow,
  resolution: Resolution,
  done: number[],
): Promise<JourneyEvent[]> {
  const { recipient, original, sender } = row;
  const gathered = gather([{ address: recipient, original, resolution }], false);
  await addReferences(tx, message.id, gathered.targets.length + gathered.failed.length);
  const placed = await place(tx, { ...message, sender, body: row.options.body }, gathered, at);
  done.push(row.id);
  return [...placed.events];
}
