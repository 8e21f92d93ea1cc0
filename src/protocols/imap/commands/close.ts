// CLOSE: what is marked \Deleted goes, without EXPUNGE responses. RFC 3501 §6.4.2

import { expunge } from '../../../store/expunge.ts';
import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { permitted, rightsIn, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const close: CommandDefinition<SimpleCommand<'CLOSE'>> = {
  states: SELECTED,
  parse: parseSimple('CLOSE'),
  async run(_, session) {
    const { access, readOnly } = session.mailbox;
    const args = { ...access, ranges: undefined, deletedOnly: true };
    // Without the right to, it closes all the same. RFC 4314 §4
    for (let more = !readOnly; more && rightsIn(session, access).rights.includes('e'); )
      ({ more } = await whileRightsMove(() =>
        session.door.writer.execute(expunge, { ...args, ...permitted(session, access, 'e') }),
      ));
    session.open(undefined);
    return ok('CLOSE completed');
  },
};
