// APPEND: the message streams into the store and is acknowledged when it and its row are on disk.
// RFC 3501 §6.3.11, RFC 4315 §3, RFC 7888 §4

import { Failure } from '../../../base/failure.ts';
import { append as appendMessage } from '../../../store/deliver.ts';
import { checkKeywords } from '../../../store/flags.ts';
import { Intake, type TakenMessage } from '../../../store/intake.ts';
import type { MailboxName } from '../../../store/mailboxes.ts';
import { hasRoom } from '../../../store/quota.ts';
import { type AppendCommand, parseAppend } from '../../../wire/imap/commands/append.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure } from '../errors.ts';
import { flagSet } from '../flag-set.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, namedPlace } from '../named-mailbox.ts';
import { ok, type TaggedResponse } from '../reply.ts';

export const append: CommandDefinition<AppendCommand> = {
  states: LOGGED_IN,
  parse: parseAppend,
  async run(command, session) {
    const { announced, door } = session;
    if (announced === undefined) throw new Failure('syntax', 'The message must be a literal');
    const { owner, name } = namedPlace(session, command.mailbox);
    // Before the client has sent it all in vain; decided again in the operation.
    if (findNamed(session, command.mailbox)?.selectable !== true) throw noMailbox();
    checkKeywords(command.flags.keywords);
    const { quota } = session;
    if (quota !== undefined && !hasRoom(door.reader, owner, quota, { octets: announced.sizeBytes, messages: 1 }))
      throw new Failure('over-quota', 'The mailbox is full');
    if (announced.sizeBytes === 0) throw new Failure('invalid', 'The message is empty');
    if (announced.sizeBytes > door.limits.messageSizeBytes)
      throw new Failure('too-large', `A message may have ${door.limits.messageSizeBytes} bytes`);
    session.announced = undefined;
    if (announced.synchronizing) session.continuation('Ready for the message');
    const intake = new Intake(door.intakes, door.nextId(), () => ({ returnPath: '', fields: '' }));
    let isWhole = false;
    try {
      isWhole = await take(session, intake);
    } finally {
      if (!isWhole) intake.abandon();
    }
    if (!isWhole) return undefined;
    return store(session, command, { owner, name }, await intake.finish(door.clock.now(), 'any'));
  },
};

/** Reads all of the message, also when it cannot be kept: what follows it is the next command. False: it broke off. */
async function take(session: ImapConversation, intake: Intake): Promise<boolean> {
  let failure: unknown;
  for (let chunk = await session.messageBytes(); chunk !== undefined; chunk = await session.messageBytes()) {
    if (failure !== undefined) continue;
    if (chunk.includes(0)) failure = new Failure('invalid', 'A message cannot hold NUL');
    else
      try {
        await intake.write(chunk);
      } catch (error) {
        failure = error;
      }
    if (failure !== undefined) intake.abandon();
  }
  const end = await session.frame();
  if (end?.kind !== 'message-end') return false;
  if (failure !== undefined) throw failure;
  if (!end.clean) throw new Failure('syntax', 'The command must end behind the message');
  return true;
}

async function store(
  session: ImapConversation,
  { flags, internalDate }: AppendCommand,
  { owner, name }: MailboxName,
  { row, pending }: TakenMessage,
): Promise<TaggedResponse> {
  try {
    const { uidValidity, uid } = await session.door.writer.execute(
      appendMessage,
      {
        owner,
        mailbox: name,
        message: row,
        flags: flagSet(flags),
        internalDate: internalDate ?? row.received,
        ...(session.quota === undefined ? {} : { quota: session.quota }),
      },
      row.header.length + row.structure.length,
    );
    return ok('APPEND completed', `APPENDUID ${uidValidity} ${uid}`);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not-found') throw noMailbox();
    throw error;
  } finally {
    pending.settle();
  }
}

export function noMailbox(): Failure {
  return new ImapFailure('not-found', 'No such mailbox, CREATE makes it', 'TRYCREATE');
}
