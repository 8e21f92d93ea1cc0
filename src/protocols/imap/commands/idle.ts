// IDLE: changes as they happen, until the client says DONE. RFC 2177

import { Failure } from '../../../base/failure.ts';
import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const idle: CommandDefinition<SimpleCommand<'IDLE'>> = {
  states: LOGGED_IN,
  parse: parseSimple('IDLE'),
  async run(_, session) {
    session.continuation('idling');
    // What happened before the client began to listen comes first.
    await session.pushChanges();
    do {
      const line = session.nextLine();
      if (line !== undefined) {
        if (line.kind === 'line' && line.text.trimEnd().toUpperCase() === 'DONE') return ok('IDLE completed');
        throw new Failure('syntax', 'IDLE ends with DONE');
      }
      while (session.takeChanged()) await session.pushChanges();
    } while (await session.more());
    return undefined;
  },
};
