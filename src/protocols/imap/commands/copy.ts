// COPY and UID COPY: references to the same bytes. RFC 3501 §6.4.7, RFC 4315 §3

import { Failure } from '../../../base/failure.ts';
import { copy as copyMessages, type move } from '../../../store/copy.ts';
import { type CopyCommand, parseCopy } from '../../../wire/imap/commands/copy.ts';
import { encodeUidSet } from '../../../wire/imap/responses/mailbox.ts';
import { rangesOf } from '../../../wire/imap/values.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { countPositions } from '../mailbox-view.ts';
import { namedPlace } from '../named-mailbox.ts';
import { ok } from '../reply.ts';
import { noMailbox } from './append.ts';

export const copy: CommandDefinition<CopyCommand<'COPY'>> = {
  states: SELECTED,
  parse: parseCopy('COPY'),
  async run(command, session) {
    const copyUid = await transfer(session, command, copyMessages);
    return copyUid === undefined ? ok('COPY completed, no message is there') : ok('COPY completed', copyUid);
  },
};

/** Copies or moves, in one operation, since both are whole or not at all. Gives the code COPYUID; undefined: there was nothing. */
export async function transfer(
  session: ImapConversation,
  { messages, mailbox }: CopyCommand,
  how: typeof copyMessages | typeof move,
): Promise<string | undefined> {
  await session.mailbox.load(messages);
  const { access, view } = session.mailbox;
  const positions = session.mailbox.positions(messages);
  const [ranges = []] = view.uidSlices(positions, countPositions(positions));
  const quota = session.quota === undefined ? {} : { quota: session.quota };
  const { uidValidity, sources, firstUid } = await session.door.writer
    .execute(how, { ...access, ...quota, ranges, target: namedPlace(session, mailbox).name })
    .catch((error) => {
      throw error instanceof Failure && error.kind === 'not-found' ? noMailbox() : error;
    });
  if (sources.length === 0) return undefined;
  const copies = [{ first: firstUid, last: firstUid + sources.length - 1 }];
  return `COPYUID ${uidValidity} ${encodeUidSet(rangesOf(sources))} ${encodeUidSet(copies)}`;
}
