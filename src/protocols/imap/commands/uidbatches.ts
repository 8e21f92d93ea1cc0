// UIDBATCHES: UIDs that part the mailbox into batches of so many messages, the newest first.
//
// Out     ranges that touch one another: from the highest UID down to 1, so that each UID is in one of them
// Limits  MESSAGES_MIN messages a batch at least; batches of MESSAGES_MAX messages in one answer where some were asked for
// draft-ietf-mailmaint-imap-uidbatches-22 §3.1

import { parseUidBatches, type UidBatchesCommand } from '../../../wire/imap/commands/uidbatches.ts';
import { encodeUidBatches } from '../../../wire/imap/responses/uidbatches.ts';
import type { NumberRange } from '../../../wire/imap/values.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';

const MESSAGES_MIN = 500;
const MESSAGES_MAX = 100_000;

export const uidbatches: CommandDefinition<UidBatchesCommand> = {
  states: SELECTED,
  parse: parseUidBatches,
  async run({ size, batches }, session) {
    if (size < MESSAGES_MIN)
      throw new ImapFailure('invalid', `A batch has ${MESSAGES_MIN} messages at least`, 'TOOFEW');
    if (batches !== undefined && batches.first > batches.last)
      throw new ImapFailure('syntax', 'The first batch stands before the last', 'CLIENTBUG');
    if (batches !== undefined && (batches.last - batches.first + 1) * size > MESSAGES_MAX)
      throw new ImapFailure('too-many', `Batches of ${MESSAGES_MAX} messages at once at most`, 'TOOMANY');
    const { view } = session.mailbox;
    const { first, last } = batches ?? { first: 1, last: Math.ceil(view.count / size) };
    const lowest = Math.max(0, view.count - last * size);
    await view.loadFromPosition(lowest, () => session.breathe());
    const ranges: NumberRange[] = [];
    for (let batch = first; batch <= last && (batch - 1) * size < view.count; batch++) {
      // Position of the last message of a batch, and of the last one of the next.
      const end = view.count - (batch - 1) * size;
      const next = end - size;
      ranges.push({ first: view.uidAt(end - 1), last: next > 0 ? view.uidAt(next - 1) + 1 : 1 });
    }
    session.write(encodeUidBatches(session.tag, ranges));
    return ok('UIDBATCHES completed');
  },
};
