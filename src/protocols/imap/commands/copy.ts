// COPY and UID COPY: references to the same bytes. RFC 3501 §6.4.7, RFC 4315 §3, RFC 9738 §3.1

import { Failure } from '../../../base/failure.ts';
import { type CopyArguments, copy as copyMessages, type move } from '../../../store/copy.ts';
import { ALL_FLAGS } from '../../../store/flags.ts';
import type { MailboxAccess } from '../../../store/mailbox-key.ts';
import type { MailboxRight } from '../../../store/rights.ts';
import { type CopyCommand, parseCopy } from '../../../wire/imap/commands/copy.ts';
import { encodeUidSet } from '../../../wire/imap/responses/mailbox.ts';
import { rangesOf } from '../../../wire/imap/values.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { countPositions, type PositionRange } from '../mailbox-view.ts';
import { checkMessageLimit } from '../message-limit.ts';
import { findNamed, namedPlace, quotaThere } from '../named-mailbox.ts';
import { accessTo, bothPermitted, type Permitted, permitted, permittedFlags, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';
import { noMailbox } from './append.ts';

export const copy: CommandDefinition<CopyCommand<'COPY'>> = {
  states: SELECTED,
  parse: parseCopy('COPY'),
  async run(command, session) {
    await session.mailbox.load(command.messages);
    const positions = session.mailbox.positions(command.messages);
    checkMessageLimit(session, session.mailbox, positions);
    const copyUid = await transfer(session, command, positions, copyMessages);
    return copyUid === undefined ? ok('COPY completed, no message is there') : ok('COPY completed', copyUid);
  },
};

/** Copies or moves, in one operation, since both are whole or not at all. Gives the code COPYUID; undefined: there was nothing. */
export async function transfer(
  session: ImapConversation,
  { mailbox }: CopyCommand,
  positions: readonly PositionRange[],
  how: typeof copyMessages | typeof move,
  needed: readonly MailboxRight[] = [],
): Promise<string | undefined> {
  const { access, view } = session.mailbox;
  const [ranges = []] = view.uidSlices(positions, countPositions(positions));
  const { uidValidity, sources, firstUid } = await whileRightsMove(() => {
    const source = permitted(session, access, 'r', ...needed);
    const args = { ...accessTo(session, access), ranges, ...targetOf(session, mailbox, source) };
    return session.door.writer.execute(how, args);
  }).catch((error) => {
    throw error instanceof Failure && error.kind === 'not-found' ? noMailbox() : error;
  });
  if (sources.length === 0) return undefined;
  const copies = [{ first: firstUid, last: firstUid + sources.length - 1 }];
  return `COPYUID ${uidValidity} ${encodeUidSet(rangesOf(sources))} ${encodeUidSet(copies)}`;
}

/** Where to, for the arguments of the operation; `source` is what is permitted where from. */
function targetOf(session: ImapConversation, mailbox: string, source: Permitted): TargetArguments {
  const place = namedPlace(session, mailbox, 'i');
  const quota = quotaThere(session, place);
  const row = place.owner === session.reader ? undefined : findNamed(session, mailbox, 'i');
  if (row === undefined) return { target: place.name, targetOwner: place.owner, ...quota, ...source };
  const key = { owner: row.owner, mailbox: row.id };
  const { may = ALL_FLAGS, ...permitted } = permittedFlags(session, key);
  const { status } = accessTo(session, key);
  const there = { target: place.name, targetOwner: place.owner, targetStatus: status, may };
  return { ...there, ...quota, ...bothPermitted(source, permitted) };
}

type TargetArguments = Omit<CopyArguments, keyof MailboxAccess | 'ranges'>;
