// Where a message goes: into mailboxes for recipients of this host, into queue rows for those of other hosts and those that
// cannot get it now. One function for a message that is accepted and for one that waits in the queue.
//
// In      a message, its envelope, its door; each recipient's resolution, where that still holds
// Out     rows of store and queue, their events for the journey, a reply for each recipient; called inside an operation
// Order   resolve again, gather, write; so each account and each foreign address gets it once, also where two recipients
//         lead to it
// Limits  more than LOCAL_RECIPIENTS_IN_ACCEPT local targets become queue rows
// RFC 5321 §4.5.4.1, §6.1

import { LOCAL_RECIPIENTS_IN_ACCEPT } from '../base/limits.ts';
import { isAccepted, isTemporary, type Reply } from '../base/reply.ts';
import type { Transaction } from '../database/operation.ts';
import { formatAddress } from '../message/address.ts';
import type { Envelope, Recipient } from '../message/envelope.ts';
import type { Resolution, RouteRequest, Site, Target } from '../routing/resolve.ts';
import { LoadedTables, resolveIn } from '../routing/resolve-in.ts';
import { unresolvedTarget } from '../routing/targets.ts';
import { addReferences, insertMessage } from '../store/deliver.ts';
import type { MessageRow } from '../store/messages.ts';
import type { LocalChannel, WrittenMessage } from './channels/channel.ts';
import type { JourneyEvent } from './journey.ts';
import { type Outcome, outcomeText } from './outcome.ts';
import { insertQueueRow, rowTemplate } from './queue.ts';

/** What the writer knows of this host. */
export interface PlaceParts {
  readonly site: Site;
  /** By name: what these take needs no queue. */
  readonly localChannels: ReadonlyMap<string, LocalChannel>;
}

/** Of a resolution, what travels to the writer. */
export type Resolved = Pick<Resolution, 'targets' | 'reply' | 'failures'>;

export interface PlacedMail {
  readonly message: WrittenMessage;
  /** The message's row, to be inserted; undefined where it is there already. */
  readonly row: MessageRow | undefined;
  readonly envelope: Envelope;
  readonly request: RouteRequest;
  /** One for each recipient; undefined: routing is asked in this transaction. */
  readonly resolutions: readonly Resolved[] | undefined;
  /**
   * Recipients that are refused: `report` queues each of them, to be tried later or reported to the sender, while others
   * get the message; `always` does so for all of them too; `return` leaves them to the caller.
   */
  readonly refused: 'report' | 'always' | 'return';
  /** Wall clock. */
  readonly at: number;
}

export interface PlacedRecipient {
  readonly reply: Reply;
  readonly how: 'delivered' | 'queued' | 'refused';
}

export interface Placed {
  /** One for each recipient, in order. */
  readonly results: readonly PlacedRecipient[];
  /** Copies in mailboxes, and queue rows. Both 0: nothing has been written. */
  readonly delivered: number;
  readonly queued: number;
  /** `accepted` of each recipient that is not refused. */
  readonly accepted: readonly JourneyEvent[];
  /** What has become of it. */
  readonly events: readonly JourneyEvent[];
}

/** A target, and its outcome where it has been tried. */
interface GatheredTarget {
  readonly target: Target;
  readonly original: string | undefined;
  outcome: Outcome | undefined;
}

interface GatheredRecipient {
  readonly recipient: Recipient;
  readonly reply: Reply;
  readonly targets: readonly GatheredTarget[];
  readonly failures: Resolved['failures'];
}

interface Gathered {
  readonly targets: readonly GatheredTarget[];
  readonly recipients: readonly GatheredRecipient[];
}

/** A recipient that gets a row for another reason than a target of its own. */
interface Refused {
  readonly recipient: Recipient;
  readonly reply: Reply;
}

export async function place(tx: Transaction, parts: PlaceParts, mail: PlacedMail): Promise<Placed> {
  const { recipients, targets } = gather(mail, mail.resolutions ?? (await resolveAll(tx, parts, mail)));
  await write(tx, parts, mail.message, targets);
  const results = recipients.map(resultOf);
  const accepted = acceptedEvents(recipients, results);
  const isNothing = results.every(({ how }) => how === 'refused') && mail.refused !== 'always';
  if (isNothing) return { results, delivered: 0, queued: 0, accepted, events: [] };
  const delivered = targets.filter(({ outcome }) => outcome?.result === 'delivered');
  const waiting = targets.filter(({ outcome }) => outcome === undefined);
  const refused = refusedOf(mail, recipients, results);
  const queued = waiting.length + refused.length;
  const { message, row } = mail;
  if (row === undefined) await addReferences(tx, message.id, delivered.length + queued);
  else await insertMessage(tx, row, delivered.length + queued);
  const events = delivered.map(({ target, outcome }) => ({
    event: 'delivered' as const,
    recipient: formatAddress(target.recipient),
    status: outcomeText(outcome!),
  }));
  return {
    results,
    delivered: delivered.length,
    queued,
    accepted,
    events: [...events, ...(await queue(tx, parts, mail, waiting, refused))],
  };
}

async function resolveAll(tx: Transaction, { site }: PlaceParts, mail: PlacedMail): Promise<Resolved[]> {
  const loaded = new LoadedTables();
  const resolutions: Resolved[] = [];
  for (const { address } of mail.envelope.recipients)
    resolutions.push(await resolveIn(tx, address, mail.request, site, loaded));
  return resolutions;
}

function gather({ envelope }: PlacedMail, resolutions: readonly Resolved[]): Gathered {
  const byKey = new Map<string, GatheredTarget>();
  const recipients = envelope.recipients.map((recipient, index) => {
    const { reply, targets, failures } = resolutions[index]!;
    const own = targets.map((target) => {
      let gathered = byKey.get(target.key);
      if (gathered === undefined) {
        gathered = { target, original: recipient.original, outcome: undefined };
        byKey.set(target.key, gathered);
      }
      return gathered;
    });
    return { recipient, reply, targets: own, failures };
  });
  return { targets: [...byKey.values()], recipients };
}

/** What is delivered on this host, a channel at a time; too many wait in the queue for their turn. */
async function write(
  tx: Transaction,
  { localChannels }: PlaceParts,
  message: WrittenMessage,
  targets: readonly GatheredTarget[],
): Promise<void> {
  const local = targets.filter(({ target }) => localChannels.has(target.channel));
  if (local.length === 0 || local.length > LOCAL_RECIPIENTS_IN_ACCEPT) return;
  for (const [name, channel] of localChannels) {
    const own = local.filter(({ target }) => target.channel === name);
    if (own.length === 0) continue;
    const outcomes = await channel.write(
      tx,
      message,
      own.map(({ target }) => target),
    );
    for (const [index, gathered] of own.entries()) gathered.outcome = outcomes[index]!;
  }
}

/** A recipient with one target is refused when that is refused; a list is accepted even if some of its members are refused. */
function resultOf({ reply, targets, failures }: GatheredRecipient): PlacedRecipient {
  if (!isAccepted(reply)) return { reply, how: 'refused' };
  const [only] = targets;
  if (targets.length === 1 && failures.length === 0 && only!.outcome !== undefined)
    return only!.outcome.result === 'delivered'
      ? { reply, how: 'delivered' }
      : { reply: replyOf(only!.outcome), how: 'refused' };
  const isDelivered = failures.length === 0 && targets.every(({ outcome }) => outcome?.result === 'delivered');
  return { reply, how: isDelivered ? 'delivered' : 'queued' };
}

function replyOf({ result, status, words }: Outcome): Reply {
  return { code: result === 'failed' ? 550 : 450, enhanced: status, text: words };
}

function acceptedEvents(recipients: readonly GatheredRecipient[], results: readonly PlacedRecipient[]): JourneyEvent[] {
  const events: JourneyEvent[] = [];
  for (const [index, { reply, how }] of results.entries())
    if (how !== 'refused')
      events.push({
        event: 'accepted',
        recipient: formatAddress(recipients[index]!.recipient.address),
        status: `${reply.enhanced} ${reply.text}`,
      });
  return events;
}

/** Refused recipients as far as they are to be queued, members of lists that get nothing now, targets that took nothing. */
function refusedOf(
  mail: PlacedMail,
  recipients: readonly GatheredRecipient[],
  results: readonly PlacedRecipient[],
): Refused[] {
  const refused: Refused[] = [];
  const seen = new Set<GatheredTarget>();
  for (const [index, { recipient, targets, failures }] of recipients.entries()) {
    const { reply, how } = results[index]!;
    if (how === 'refused') {
      if (mail.refused !== 'return') refused.push({ recipient, reply });
      continue;
    }
    for (const member of failures) refused.push({ recipient: { address: member.recipient }, reply: member.reply });
    for (const target of targets) {
      if (target.outcome === undefined || target.outcome.result === 'delivered' || seen.has(target)) continue;
      seen.add(target);
      refused.push({ recipient: { address: target.target.recipient }, reply: replyOf(target.outcome) });
    }
  }
  return refused;
}

/** One that may be reached later is resolved again when its row is due; for the others the sender gets a report. */
async function queue(
  tx: Transaction,
  { site }: PlaceParts,
  mail: PlacedMail,
  waiting: readonly GatheredTarget[],
  refused: readonly Refused[],
): Promise<JourneyEvent[]> {
  if (waiting.length + refused.length === 0) return [];
  const events: JourneyEvent[] = [];
  const { message, envelope, request, at } = mail;
  const template = rowTemplate({ tenant: site.tenant, message: message.id, envelope, request, at });
  for (const { target, original } of waiting) {
    await insertQueueRow(tx, template, { target, original, refusal: undefined });
    const status = `2.0.0 channel ${target.channel}`;
    events.push({ event: 'queued', recipient: formatAddress(target.recipient), status });
  }
  for (const { recipient, reply } of refused) {
    const { address, original } = recipient;
    await insertQueueRow(tx, template, { target: unresolvedTarget(address), original, refusal: reply });
    const status = `${reply.enhanced} ${reply.text}`;
    events.push({ event: isTemporary(reply) ? 'queued' : 'failed', recipient: formatAddress(address), status });
  }
  tx.afterCommit({ kind: 'queue' });
  return events;
}
