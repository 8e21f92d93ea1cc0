// CLOSE: what is marked \Deleted goes, without EXPUNGE responses. RFC 3501 §6.4.2

import { expunge } from '../../../store/expunge.ts';
import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';

export const close: CommandDefinition<SimpleCommand<'CLOSE'>> = {
  states: SELECTED,
  parse: parseSimple('CLOSE'),
  async run(_, session) {
    const { access, readOnly } = session.mailbox;
    const args = { ...access, ranges: undefined, deletedOnly: true };
    for (let more = !readOnly; more; ) ({ more } = await session.door.writer.execute(expunge, args));
    session.open(undefined);
    return ok('CLOSE completed');
  },
};
