// COPY and UID COPY: references to the same bytes. RFC 3501 §6.4.7, RFC 4315 §3

import { Failure } from '../../../base/failure.ts';
import { copy as copyMessages } from '../../../store/copy.ts';
import { canonicalMailboxName } from '../../../store/mailboxes.ts';
import { type CopyCommand, parseCopy } from '../../../wire/imap/commands/copy.ts';
import { encodeUidSet } from '../../../wire/imap/responses/mailbox.ts';
import { rangesOf } from '../../../wire/imap/values.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { countPositions } from '../mailbox-view.ts';
import { ok } from '../reply.ts';
import { noMailbox } from './append.ts';

export const copy: CommandDefinition<CopyCommand> = {
  states: SELECTED,
  parse: parseCopy,
  async run({ messages, mailbox }, session) {
    const { access, view } = session.mailbox;
    const target = canonicalMailboxName(mailbox);
    const positions = view.positions(messages);
    // One operation, since COPY is whole or not at all.
    const [ranges = []] = view.uidSlices(positions, countPositions(positions));
    const quota = session.quota === undefined ? {} : { quota: session.quota };
    const { uidValidity, sources, firstUid } = await session.door.writer
      .execute(copyMessages, { ...access, ...quota, ranges, target })
      .catch((error) => {
        throw error instanceof Failure && error.kind === 'not-found' ? noMailbox() : error;
      });
    if (sources.length === 0) return ok('COPY completed, no message is there');
    const copies = [{ first: firstUid, last: firstUid + sources.length - 1 }];
    return ok('COPY completed', `COPYUID ${uidValidity} ${encodeUidSet(rangesOf(sources))} ${encodeUidSet(copies)}`);
  },
};
