// Messages that a command brings, read as they come: all of them are on disk at its end, or none is kept.
//
// In      the command's steps (MessageReader), each message's bytes
// Out     rows for one operation of the store, and the blobs that wait for its outcome
// Limits  APPEND_MESSAGES_MAX messages, APPEND_TEXT_MAX of what was parsed of them, which is in memory until the operation; a
//         message's size; what the account may hold
// Errors  Failure; what the client still sends of the command is the session's to drop
// RFC 3502, RFC 3516 §4.4, RFC 6855 §4

import { Failure } from '../../base/failure.ts';
import type { AccountId } from '../../base/ids.ts';
import type { NewMessage } from '../../store/deliver.ts';
import { checkKeywords, type FlagSet } from '../../store/flags.ts';
import { Intake } from '../../store/intake.ts';
import { hasRoom, type Quota } from '../../store/quota.ts';
import type { PendingBlob } from '../../store/segment.ts';
import type { MessageReader } from '../../wire/imap/commands/append.ts';
import type { ImapConversation } from './conversation.ts';
import { badFrame } from './errors.ts';
import { flagSet } from './flag-set.ts';
import { linkedBytes } from './linked-bytes.ts';

/** Messages of one command. */
const APPEND_MESSAGES_MAX = 1000;
/** Characters of header values and structures of all of them. */
const APPEND_TEXT_MAX = 8 * 1024 * 1024;

class TakenMessages {
  readonly messages: NewMessage[] = [];
  /** Characters that an operation with all of them carries. */
  textLength = 0;
  readonly #pending: PendingBlob[] = [];

  add(message: NewMessage, pending: PendingBlob): void {
    this.messages.push(message);
    this.#pending.push(pending);
    this.textLength += message.message.header.length + message.message.structure.length;
  }

  /** The operation has its outcome, or will not come. */
  settle(): void {
    for (const pending of this.#pending) pending.settle();
  }
}

/** A message that is under way. */
interface Begun {
  readonly intake: Intake;
  readonly flags: FlagSet;
  readonly internalDate: number | undefined;
}

/** Whose mailbox they are for, and what that account may hold. */
interface RoomThere {
  readonly owner: AccountId;
  readonly quota?: Quota;
}

/** Undefined: the client has left before the command's end. */
export async function takeMessages(
  session: ImapConversation,
  reader: MessageReader,
  room: RoomThere,
): Promise<TakenMessages | undefined> {
  const taken = new TakenMessages();
  let begun: Begun | undefined;
  let isWhole = false;
  reader.isBeforeBytes = session.announced !== undefined;
  try {
    for (let step = reader.next(); step !== undefined; step = reader.next()) {
      if (step.kind === 'begin') {
        if (taken.messages.length >= APPEND_MESSAGES_MAX || taken.textLength > APPEND_TEXT_MAX)
          throw new Failure('too-many', 'Too many messages for one command');
        if (step.isUtf8 && !session.enabled.has('UTF8=ACCEPT'))
          throw new Failure('syntax', 'UTF8 stands in APPEND behind ENABLE UTF8=ACCEPT');
        checkKeywords(step.flags.keywords);
        const { intakes, nextId } = session.door;
        const intake = new Intake(intakes, nextId(), () => ({ returnPath: '', fields: '' }));
        begun = { intake, flags: flagSet(step.flags), internalDate: step.internalDate };
      } else if (step.kind === 'bytes') {
        await takeBytes(session, begun!.intake, taken, room);
        if (!(await goOn(session, reader))) return undefined;
      } else if (step.kind === 'url') {
        await copyLinked(session, step.url, begun!.intake);
      } else {
        const { intake, flags, internalDate } = begun!;
        if (intake.length === 0) throw new Failure('invalid', 'The message is empty');
        begun = undefined;
        const { row, pending } = await intake.finish(session.door.clock.now(), 'any');
        taken.add({ message: row, flags, internalDate: internalDate ?? row.received }, pending);
      }
    }
    isWhole = true;
    return taken;
  } finally {
    begun?.intake.abandon();
    if (!isWhole) taken.settle();
  }
}

/** Refuses what cannot be kept before the client has sent it all in vain. */
function checkAnnounced(
  session: ImapConversation,
  intake: Intake,
  taken: TakenMessages,
  { owner, quota }: RoomThere,
): void {
  const { announced, door } = session;
  if (announced === undefined) throw new Failure('syntax', 'The message must be a literal');
  let octets = intake.length + announced.sizeBytes;
  const isTooLarge = octets > door.limits.messageSizeBytes;
  for (const { message } of taken.messages) octets += message.blob.length;
  const messages = taken.messages.length + 1;
  if (quota !== undefined && !hasRoom(door.reader, owner, quota, { octets, messages }))
    throw new Failure('over-quota', 'The mailbox is full');
  if (announced.sizeBytes === 0) throw new Failure('invalid', 'The message is empty');
  if (isTooLarge) throw new Failure('too-large', `A message may have ${door.limits.messageSizeBytes} bytes`);
}

/** What a URL names becomes the next part of the message. */
async function copyLinked(session: ImapConversation, url: string, intake: Intake): Promise<void> {
  const linked = await linkedBytes(session, url);
  const { messageSizeBytes } = session.door.limits;
  if (intake.length + linked.sizeBytes > messageSizeBytes)
    throw new Failure('too-large', `A message may have ${messageSizeBytes} bytes`);
  await linked.copy((piece) => intake.write(piece));
}

/** Reads all of the literal, also when it cannot be kept. */
async function takeBytes(
  session: ImapConversation,
  intake: Intake,
  taken: TakenMessages,
  room: RoomThere,
): Promise<void> {
  checkAnnounced(session, intake, taken, room);
  const { synchronizing, isBinary } = session.announced!;
  session.announced = undefined;
  if (synchronizing) session.continuation('Ready for the message');
  let failure: unknown;
  for (let chunk = await session.messageBytes(); chunk !== undefined; chunk = await session.messageBytes()) {
    if (failure !== undefined) continue;
    if (!isBinary && chunk.includes(0))
      failure = new Failure('invalid', 'A message in a literal cannot hold NUL, ~{n} can');
    else
      try {
        await intake.write(chunk);
      } catch (error) {
        failure = error;
      }
    if (failure !== undefined) intake.abandon();
  }
  if (failure !== undefined) throw failure;
}

/** What stands behind a message's bytes, up to the next ones or the end of the command; false: the client has left. */
async function goOn(session: ImapConversation, reader: MessageReader): Promise<boolean> {
  for (;;) {
    const frame = await session.frame();
    switch (frame?.kind) {
      case undefined:
        return false;
      case 'message':
        session.announced = frame;
        reader.goOn(frame.text, true);
        return true;
      case 'command':
        reader.goOn(frame.text, false);
        return true;
      case 'continue':
        session.continuation('Ready for literal data');
        break;
      case 'bad':
      case 'fatal':
        throw badFrame(frame.reason);
      default:
        frame satisfies undefined;
    }
  }
}
