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
import { type Envelope, type Recipient, wants } from '../message/envelope.ts';
import { builtInKind } from '../routing/channels.ts';
import type { ChannelKind } from '../routing/compile-channel.ts';
import { stateIn } from '../routing/generation.ts';
import { alonePart, chosenPart, type PartOf, partWaitedFor } from '../routing/options/part.ts';
import { replies } from '../routing/replies.ts';
import type { Resolution, RouteRequest, Site, Target } from '../routing/resolve.ts';
import { LoadedTables, resolveIn } from '../routing/resolve-in.ts';
import { accepted as acceptedRequest } from '../routing/route-request.ts';
import { settingIn } from '../routing/setting-rows.ts';
import { folderAsked, isPaused, listOfTarget, originOf, unresolvedTarget } from '../routing/targets.ts';
import { addReferences, insertMessage } from '../store/deliver.ts';
import type { MessageRow } from '../store/messages.ts';
import type { LocalChannel, WrittenMessage } from './channels/channel.ts';
import { type Fate, fateOf, hasCustodyRoomIn, isInCustody, postmasterTarget, takenBack } from './custody.ts';
import { inFolders } from './in-folders.ts';
import type { JourneyEvent } from './journey.ts';
import { takeKeys } from './list-progress.ts';
import { type AskedOfRecipient, askedOfMember, notifyOf, together } from './notify.ts';
import { type Outcome, outcomeText } from './outcome.ts';
import { type Done, type HeldBy, insertQueueRow, rowTemplate } from './queue.ts';

/** What the writer knows of this host. */
export interface PlaceParts {
  readonly site: Site;
  /** By kind: what these take needs no queue. */
  readonly localChannels: ReadonlyMap<ChannelKind, LocalChannel>;
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
  /** When the oldest of its queue rows that this is for came into the queue; undefined: there has been none. */
  readonly queuedAt?: number;
  /** Of recipients with several delivery options, which one is meant: one for each recipient. Undefined: all of all. */
  readonly parts?: readonly (PartOf | undefined)[];
  /** Header fields that are sent before the message, CRLF lines, where it leaves this host. */
  readonly prefix?: string;
}

export interface PlacedRecipient {
  readonly reply: Reply;
  /** `unset`: the delivery option that it waited for is set no more. */
  readonly how: 'delivered' | 'queued' | 'refused' | 'unset';
}

export interface Placed {
  /** One for each recipient, in order. */
  readonly results: readonly PlacedRecipient[];
  /** Targets that have it, or wanted it dropped, and queue rows. Both 0: nothing has been written. */
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
  asked: AskedOfRecipient;
  outcome: Outcome | undefined;
}

interface GatheredRecipient {
  readonly recipient: Recipient;
  /** What its sender wants to know of those whom it leads to. */
  readonly onward: AskedOfRecipient;
  readonly reply: Reply;
  readonly targets: readonly GatheredTarget[];
  readonly failures: Resolved['failures'];
  /** What its sender is told when it is accepted. */
  readonly told: Done | undefined;
}

interface Gathered {
  readonly targets: readonly GatheredTarget[];
  readonly recipients: readonly GatheredRecipient[];
}

/** A recipient that gets a row for another reason than a target of its own. */
interface Refused {
  readonly recipient: Recipient;
  readonly reply: Reply;
  /** Whoever led here has been accepted: whether the sender may relay is asked no more. */
  readonly isDecided: boolean;
  readonly part?: PartOf | undefined;
}

/** A recipient whose sender wants to know of its success. */
interface Told {
  readonly recipient: Recipient;
  readonly done: Done;
}

interface Queued {
  readonly waiting: readonly GatheredTarget[];
  readonly refused: readonly Refused[];
  readonly told: readonly Told[];
  readonly kinds: Kinds;
}

export async function place(tx: Transaction, parts: PlaceParts, mail: PlacedMail): Promise<Placed> {
  const { recipients, targets } = gather(mail, mail.resolutions ?? (await resolveAll(tx, parts, mail)));
  if (mail.request.custody !== undefined && !(await isRoomFor(tx, mail, targets)))
    return { results: recipients.map(() => CUSTODY_FULL), delivered: 0, queued: 0, accepted: [], events: [] };
  await noteForLists(tx, mail, targets);
  const isMade = targets.some(({ target }) => builtInKind(target.channel) === undefined);
  const kinds = isMade ? await madeKinds(tx, targets) : NO_KINDS;
  if (!isForLater(mail)) await write(tx, parts, mail, { targets, kinds });
  const results = recipients.map(resultOf);
  const accepted = acceptedEvents(recipients, results);
  const isNothing = results.every(({ how }) => how === 'refused') && mail.refused !== 'always';
  if (isNothing) return { results, delivered: 0, queued: 0, accepted, events: [] };
  const delivered = targets.filter(({ outcome }) => outcome?.result === 'delivered');
  const waiting = targets.filter(({ outcome }) => outcome === undefined);
  const unserved = refusedOf(mail, recipients, results);
  const untold = unserved.filter((each) => isUntold(each) && fateOfRefused(mail, each) === 'reported');
  const refused = untold.length === 0 ? unserved : unserved.filter((each) => !untold.includes(each));
  const told = toldOf(recipients, results, delivered);
  const queued = waiting.length + refused.length + told.length;
  const { message, row } = mail;
  const isKept = ({ target }: GatheredTarget): boolean =>
    parts.localChannels.get(kindOf(target, kinds)!)?.keeps !== false;
  const kept = delivered.filter(isKept);
  if (row === undefined) await addReferences(tx, message.id, kept.length + queued);
  else if (kept.length + queued > 0) await insertMessage(tx, row, kept.length + queued);
  const events = delivered.map((gathered) => ({
    event: isKept(gathered) ? ('delivered' as const) : ('discarded' as const),
    recipient: formatAddress(gathered.target.recipient),
    status: outcomeText(gathered.outcome!),
  }));
  return {
    results,
    delivered: delivered.length,
    queued,
    accepted,
    events: [
      ...events,
      ...untold.map(failedEvent),
      ...(await queue(tx, parts, mail, { waiting, refused, told, kinds })),
    ],
  };
}

const CUSTODY_FULL: PlacedRecipient = { reply: replies.custodyFull, how: 'refused' };

/** A message that is accepted, and is to be kept for a domain that is not ours yet. One that waits has had its room. */
async function isRoomFor(tx: Transaction, mail: PlacedMail, targets: readonly GatheredTarget[]): Promise<boolean> {
  const kept = targets.map(({ target }) => target).filter(isInCustody);
  return mail.row === undefined || kept.length === 0 || hasCustodyRoomIn(tx, kept, mail.message.sizeBytes);
}

/** For who may be tried again it is decided when that is over. */
function fateOfRefused({ request }: PlacedMail, { recipient, reply }: Refused): Fate {
  return isTemporary(reply) ? 'reported' : fateOf(request, recipient.address);
}

/** It has failed, and the sender does not want to know it. */
function isUntold({ recipient, reply }: Refused): boolean {
  return !isTemporary(reply) && !wants(recipient, 'FAILURE');
}

function failedEvent({ recipient, reply }: Refused): JourneyEvent {
  return { event: 'failed', recipient: formatAddress(recipient.address), status: `${reply.enhanced} ${reply.text}` };
}

/** The sender wants nothing tried now. */
function isForLater({ envelope: { holdUntil }, at }: PlacedMail): boolean {
  return holdUntil !== undefined && holdUntil > at;
}

/** Kinds of channels that are not known by their name. */
type Kinds = ReadonlyMap<string, ChannelKind | undefined>;
const NO_KINDS: Kinds = new Map();

function kindOf({ channel }: Target, kinds: Kinds): ChannelKind | undefined {
  return builtInKind(channel) ?? kinds.get(channel);
}

/** Undefined for a channel whose entry is gone: its rows wait. */
async function madeKinds(tx: Transaction, targets: readonly GatheredTarget[]): Promise<Kinds> {
  const { generation } = await stateIn(tx);
  const kinds = new Map<string, ChannelKind | undefined>();
  for (const { channel } of targets.map(({ target }) => target)) {
    if (kinds.has(channel) || builtInKind(channel) !== undefined) continue;
    const row = await settingIn(tx, generation, 'channel', channel);
    kinds.set(channel, row?.kind === 'channel' ? row.channelKind : undefined);
  }
  return kinds;
}

/** Who gets it at once does not get it once more from a list that is expanded later. */
async function noteForLists(tx: Transaction, { message }: PlacedMail, targets: readonly GatheredTarget[]) {
  if (targets.every(({ target }) => listOfTarget(target) === undefined)) return;
  const others = targets.filter(({ target }) => listOfTarget(target) === undefined);
  await takeKeys(
    tx,
    message.id,
    others.map(({ target }) => target.key),
  );
}

async function resolveAll(tx: Transaction, { site }: PlaceParts, mail: PlacedMail): Promise<Resolved[]> {
  const loaded = new LoadedTables();
  const resolutions: Resolved[] = [];
  for (const { address } of mail.envelope.recipients)
    resolutions.push(await resolveIn(tx, address, mail.request, site, loaded));
  return resolutions;
}

function gather({ envelope, parts }: PlacedMail, resolutions: readonly Resolved[]): Gathered {
  const byKey = new Map<string, GatheredTarget>();
  const recipients = envelope.recipients.map((recipient, index) => {
    const { reply, targets, failures } = chosenPart(resolutions[index]!, parts?.[index], recipient.address);
    const { onward, own: told } = notifyOf(recipient, targets);
    const own = targets.map((target) => {
      let gathered = byKey.get(target.key);
      if (gathered === undefined) {
        gathered = { target, asked: onward, outcome: undefined };
        byKey.set(target.key, gathered);
      } else gathered.asked = together(gathered.asked, onward);
      return gathered;
    });
    return { recipient, onward, reply, targets: own, failures, told };
  });
  return { targets: [...byKey.values()], recipients };
}

/** What is delivered on this host, a channel at a time; too many wait in the queue for their turn. */
async function write(
  tx: Transaction,
  { localChannels }: PlaceParts,
  { message, request }: Pick<PlacedMail, 'message' | 'request'>,
  { targets: all, kinds }: { readonly targets: readonly GatheredTarget[]; readonly kinds: Kinds },
): Promise<void> {
  const local = all.filter(({ target }) => !isPaused(target) && localChannels.has(kindOf(target, kinds)!));
  if (local.length === 0 || local.length > LOCAL_RECIPIENTS_IN_ACCEPT) return;
  for (const [kind, channel] of localChannels) {
    const own = local.filter(({ target }) => kindOf(target, kinds) === kind);
    if (own.length === 0) continue;
    const targets = own.map(({ target }) => target);
    const isForFolders = targets.some((target) => folderAsked(target) !== undefined);
    const outcomes = await channel.write(tx, message, isForFolders ? await inFolders(tx, request, targets) : targets);
    for (const [index, gathered] of own.entries()) gathered.outcome = outcomes[index]!;
  }
}

/** A recipient with one target is refused when that is refused; a list is accepted even if some of its members are refused. */
function resultOf({ reply, targets, failures }: GatheredRecipient): PlacedRecipient {
  if (!isAccepted(reply)) return { reply, how: 'refused' };
  if (targets.length + failures.length === 0) return { reply, how: 'unset' };
  const [only] = targets;
  if (targets.length === 1 && failures.length === 0 && only!.outcome !== undefined)
    return only!.outcome.result === 'delivered'
      ? { reply, how: 'delivered' }
      : { reply: replyOf(only!.outcome), how: 'refused' };
  const isDelivered = failures.length === 0 && targets.every(({ outcome }) => outcome?.result === 'delivered');
  return { reply, how: isDelivered ? 'delivered' : 'queued' };
}

function replyOf({ result, status, words }: Outcome): Reply {
  if (result === 'failed') return { code: 550, enhanced: status, text: words };
  // Of room that is missing: RFC 5321 §4.2.2
  return { code: status === '4.2.2' ? 452 : 450, enhanced: status, text: words };
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
  for (const [index, { recipient, onward, targets, failures }] of recipients.entries()) {
    const { reply, how } = results[index]!;
    if (how === 'refused') {
      const [only] = targets;
      const part = only === undefined ? undefined : alonePart(only.target);
      if (mail.refused !== 'return') refused.push({ recipient, reply, isDecided: false, part });
      continue;
    }
    for (const member of failures)
      refused.push({
        recipient: { ...askedOfMember(onward), address: member.recipient },
        reply: member.reply,
        isDecided: true,
      });
    for (const target of targets) {
      if (target.outcome === undefined || target.outcome.result === 'delivered' || seen.has(target)) continue;
      seen.add(target);
      const part = partWaitedFor(target.target);
      // A part is one of the entry that led here, which another one's mailbox may be.
      const origin = part === undefined || part.aloneOf !== undefined ? undefined : originOf(target.target.options);
      refused.push({
        recipient: { ...target.asked, address: origin ?? target.target.recipient },
        reply: replyOf(target.outcome),
        isDecided: true,
        part,
      });
    }
  }
  return refused;
}

/** Of whose success the sender wants to know: mailboxes that have it, and recipients that lead to several others. */
function toldOf(
  recipients: readonly GatheredRecipient[],
  results: readonly PlacedRecipient[],
  delivered: readonly GatheredTarget[],
): Told[] {
  const told: Told[] = [];
  for (const [index, { recipient, told: done }] of recipients.entries())
    if (done !== undefined && results[index]!.how !== 'refused') told.push({ recipient, done });
  for (const { target, asked, outcome } of delivered)
    if (asked.notify !== undefined && wants(asked, 'SUCCESS')) {
      const { status, words } = outcome!;
      told.push({
        recipient: { ...asked, address: target.recipient },
        done: { action: 'delivered', status, words },
      });
    }
  return told;
}

/** One that may be reached later is resolved again when its row is due; for the others the sender gets a report. */
async function queue(
  tx: Transaction,
  { site }: PlaceParts,
  mail: PlacedMail,
  { waiting, refused, told, kinds }: Queued,
): Promise<JourneyEvent[]> {
  if (waiting.length + refused.length + told.length === 0) return [];
  const events: JourneyEvent[] = [];
  const { message, request, at, prefix } = mail;
  const asked = rowTemplate({
    tenant: site.tenant,
    message: message.id,
    envelope: mail.envelope,
    request,
    at: mail.queuedAt ?? at,
    holdUntil: isForLater(mail) ? mail.envelope.holdUntil : undefined,
  });
  // A member elsewhere was the choice of the list: the sender, who may not relay, is not asked for it when it is released.
  const decided = { ...asked, request: acceptedRequest(request) };
  for (const { target, asked: own } of waiting) {
    const heldBy = heldByOf(target, kinds);
    await insertQueueRow(tx, decided, { target, asked: own, refusal: undefined, heldBy, prefix });
    const isWaiting = heldBy === 'routing' || heldBy === 'custody';
    const status = `2.0.0 channel ${target.channel}${isWaiting ? `, waits for ${target.destination}` : ''}`;
    events.push({ event: 'queued', recipient: formatAddress(target.recipient), status });
  }
  for (const each of refused) {
    const { recipient, reply, isDecided, part } = each;
    const { address, ...own } = recipient;
    const fate = fateOfRefused(mail, each);
    if (fate !== 'reported') {
      const held = fate === 'kept' ? ({ target: unresolvedTarget(address), heldBy: 'admin' } as const) : undefined;
      await insertQueueRow(tx, decided, { asked: {}, refusal: undefined, ...(held ?? { target: postmasterTarget() }) });
      events.push(takenBack(formatAddress(address), fate, `${reply.enhanced} ${reply.text}`));
      continue;
    }
    const target = unresolvedTarget(address, part);
    await insertQueueRow(tx, isDecided ? decided : asked, { target, asked: own, refusal: reply, prefix });
    const status = `${reply.enhanced} ${reply.text}`;
    events.push({ event: isTemporary(reply) ? 'queued' : 'failed', recipient: formatAddress(address), status });
  }
  for (const { recipient, done } of told) {
    const { address, ...own } = recipient;
    await insertQueueRow(tx, decided, { target: unresolvedTarget(address), asked: own, refusal: undefined, done });
  }
  tx.afterCommit({ kind: 'queue' });
  return events;
}

function heldByOf(target: Target, kinds: Kinds): HeldBy | undefined {
  const { heldBy } = target.options;
  if (heldBy !== undefined) return heldBy as HeldBy;
  return kindOf(target, kinds) === 'hold' ? 'routing' : undefined;
}
