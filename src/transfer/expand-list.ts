// Lists that are too long, or too uncertain, to be expanded when their message is accepted: a queue row stands for each, and
// becomes, slice by slice, references in mailboxes and rows of other channels.
//
// In      a row whose target names a list (routing/targets.ts listTarget)
// Out     SLICE members an operation: each is resolved as at the dot, in the transaction that serves it and that writes the
//         place where the next slice begins. So whatever ends the process, nobody is left out or served twice
// States  begun (no place) -> at a place of one of its lists -> gone; nobody found at all: as one that is tried again
// Order   the list itself, then the lists found in it, in the order in which they were found
// Limits  SLICE; GROUP_DEPTH_MAX lists in lists: one that lies deeper is reported to the sender; TARGETS_MAX, then the rest is
// Halves  what a list names is read in the transfer thread, because a search needs a reader; all else is the writer's
// RFC 5321 §3.9

import { asFailure } from '../base/failure.ts';
import type { MessageId, QueueRowId } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { GROUP_DEPTH_MAX } from '../base/limits.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { formatAddress } from '../message/address.ts';
import type { Recipient } from '../message/envelope.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Member } from '../routing/list-members.ts';
import { LIST_BEGIN, type ListPlace, readListSlice } from '../routing/list-source.ts';
import { partOf } from '../routing/options/part.ts';
import { replies } from '../routing/replies.ts';
import type { FailedMember, Target } from '../routing/resolve.ts';
import { resolveMembersIn } from '../routing/resolve-in.ts';
import { listOfTarget } from '../routing/targets.ts';
import type { WrittenMessage } from './channels/channel.ts';
import type { JourneyEvent } from './journey.ts';
import { addWork, dropWork, readWork, takeKeys, workIn } from './list-progress.ts';
import type { LocalOperation, LocalResult } from './local-delivery.ts';
import { askedOfMember } from './notify.ts';
import { type Outcome, outcome } from './outcome.ts';
import { type PlaceParts, place, type Resolved } from './place.ts';
import { type Carried, carriedBy, continueRow, encodeCarried } from './queue.ts';

export const EXPAND_LIST = 'transfer.expand-list';

/** Members of an operation: some milliseconds of the writer. */
const SLICE = 500;
const TARGETS_MAX = 1_000_000;

const TOO_MANY = outcome('failed', '5.2.4', `The list leads to more than ${TARGETS_MAX} recipients`);
const NOBODY = outcome('deferred', '4.2.4', 'The list has no members');

/** In the options of the row's target: how far it is. */
interface Progress {
  /** Which of its lists (list-progress.ts). */
  readonly number: number;
  readonly place: ListPlace;
  readonly targets: number;
  /** Somebody has been found, though perhaps by another row before. */
  readonly hasReached: boolean;
}

const BEGIN: Progress = { number: 0, place: LIST_BEGIN, targets: 0, hasReached: false };

/** What the thread has read, for the writer. */
interface Slice {
  readonly from: Progress;
  readonly members: readonly Member[];
  /** Undefined: this list has ended. */
  readonly next: ListPlace | undefined;
}

const EXPANDED = outcome('delivered', '2.1.5', 'expanded');
/** Nothing is done for the row now. */
export const NOT_YET: Outcome = { ...EXPANDED, operation: { name: EXPAND_LIST, args: {} } };

/** The thread's half: an outcome that names the writer's. */
export function readSlice(reader: Reader, message: MessageId, target: Target): Outcome {
  const { entry, part } = listOfTarget(target)!;
  const from = progressOf(target);
  const work = from.number === 0 ? { list: entry, part } : readWork(reader, message, entry, from.number);
  const { members, next } =
    work === undefined
      ? { members: [], next: undefined }
      : readListSlice(reader, { list: work.list, part: work.part, place: from.place, limit: SLICE });
  const slice: Slice = { from, members, next };
  return {
    ...EXPANDED,
    operation: { name: EXPAND_LIST, args: slice as unknown as JsonObject },
  };
}

/** The same, once those of its members are here over whom another has the say; put off where nobody can be asked. */
export async function readAskedSlice(
  { reader, routing }: { readonly reader: Reader; readonly routing: Pick<RoutingCache, 'askMembers'> },
  message: MessageId,
  target: Target,
): Promise<Outcome> {
  const read = readSlice(reader, message, target);
  try {
    await routing.askMembers((read.operation!.args as unknown as Slice).members);
    return read;
  } catch (error) {
    return outcome('deferred', '4.3.0', `A member of the list cannot be looked up: ${asFailure(error).message}`);
  }
}

function progressOf({ options }: Target): Progress {
  return (options['progress'] as unknown as Progress | undefined) ?? BEGIN;
}

/** The writer's half. */
export function expandList(parts: PlaceParts): LocalOperation {
  return async (tx, { message, rows, args, events, at }) => {
    const results: LocalResult[] = [];
    for (const [index, row] of rows.entries()) {
      const carried = carriedBy(row);
      const slice = args[index] as unknown as Slice;
      // None has been read, or another one has been done since.
      const isOld = JSON.stringify(progressOf(carried.target)) !== JSON.stringify(slice.from);
      const mail = { message, carried, at };
      results.push(isOld ? 'continued' : await take(tx, parts, { ...mail, row: row.id, slice, events }));
    }
    return results;
  };
}

interface Taking {
  readonly message: WrittenMessage;
  readonly row: QueueRowId;
  readonly carried: Carried;
  readonly slice: Slice;
  readonly events: JourneyEvent[];
  readonly at: number;
}

async function take(tx: Transaction, parts: PlaceParts, taking: Taking): Promise<LocalResult> {
  const { message, carried, slice } = taking;
  const { entry: root, part } = listOfTarget(carried.target)!;
  const { from, next } = slice;
  if (from.number === 0) await addWork(tx, message.id, root, { list: root, part, depth: 0 });
  const found = await resolved(tx, parts, taking, root);
  const targets = from.targets + found.targets.length;
  if (targets > TARGETS_MAX) return TOO_MANY;
  await placeFound(tx, parts, taking, found);
  const hasReached = from.hasReached || found.hasReached;
  const place = next ?? LIST_BEGIN;
  const number = next === undefined ? from.number + 1 : from.number;
  if (next !== undefined || (await workIn(tx, message.id, root, number)) !== undefined) {
    await writeProgress(tx, taking, { number, place, targets, hasReached });
    tx.afterCommit({ kind: 'queue' });
    return 'continued';
  }
  if (hasReached) return 'replaced';
  await dropWork(tx, message.id, root);
  await writeProgress(tx, taking, BEGIN);
  return NOBODY;
}

interface Found {
  /** Those that the message has not gone to yet. */
  readonly targets: readonly Target[];
  readonly failures: readonly FailedMember[];
  /** Somebody, whether by this slice or before, or by a list that has made the message. */
  readonly hasReached: boolean;
}

/** What the slice's members lead to; lists among them are noted for later. */
async function resolved(tx: Transaction, { site }: PlaceParts, taking: Taking, root: number): Promise<Found> {
  const { message, carried, slice } = taking;
  const { target: own, request } = carried;
  const {
    targets,
    failures,
    hasPassed = false,
  } = await resolveMembersIn(tx, own.recipient, slice.members, { request, site });
  const depth = 1 + ((await workIn(tx, message.id, root, slice.from.number))?.depth ?? 0);
  const failed = [...failures];
  const reached: Target[] = [];
  const others = targets.filter((target) => isOptionOf(target, root));
  for (const target of targets) {
    const list = listOfTarget(target);
    if (others.includes(target)) continue;
    if (list === undefined) reached.push(target);
    else if (depth < GROUP_DEPTH_MAX) await addWork(tx, message.id, root, { list: list.entry, part: list.part, depth });
    else failed.push({ recipient: target.recipient, reply: replies.listTooLarge });
  }
  const keys = [...reached.map(({ key }) => key), ...failed.map(failureKey)];
  const taken = await takeKeys(tx, message.id, keys);
  return {
    targets: reached.filter(({ key }) => taken.has(key)),
    failures: failed.filter((failure) => taken.has(failureKey(failure))),
    hasReached: keys.length + others.length > 0 || hasPassed,
  };
}

/**
 * A member leads back to the list that has other options beside its members. They were planned where this row was; of what the list has made
 * anew, on the message that it was made of.
 */
function isOptionOf(target: Target, list: number): boolean {
  return listOfTarget(target) === undefined && partOf(target)?.of === list;
}

function failureKey({ recipient, entry }: FailedMember): string {
  return entry === undefined ? `failed ${formatAddress(recipient)}` : `failed entry ${entry}`;
}

/** Each is a recipient of its own, so that one that cannot be served is queued or reported by itself. */
async function placeFound(tx: Transaction, parts: PlaceParts, taking: Taking, found: Found): Promise<void> {
  const { message, carried, events, at } = taking;
  const { envelope, request } = carried;
  const { address: _, ...asked } = envelope.recipients[0]!;
  const ofMember = askedOfMember(asked);
  const recipients: Recipient[] = [
    ...found.targets.map(({ recipient }) => ({ ...asked, address: recipient })),
    ...found.failures.map(({ recipient }) => ({ ...ofMember, address: recipient })),
  ];
  if (recipients.length === 0) return;
  const resolutions: Resolved[] = [
    ...found.targets.map((target) => ({ targets: [target], reply: replies.accepted, failures: [] })),
    ...found.failures.map(({ reply }) => ({ targets: [], reply, failures: [] })),
  ];
  const mail = { message, row: undefined, envelope: { ...envelope, recipients }, request, resolutions, at } as const;
  const placed = await place(tx, parts, { ...mail, refused: 'always' });
  events.push(...placed.events);
}

async function writeProgress(tx: Transaction, { row, carried }: Taking, progress: Progress): Promise<void> {
  const { target } = carried;
  const options = { ...target.options, progress: progress as unknown as Json };
  await continueRow(tx, row, encodeCarried({ ...carried, target: { ...target, options } }));
}
