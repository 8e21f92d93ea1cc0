// IDLE: news as it happens, until the client says DONE. RFC 2177

import { Failure } from '../../../base/failure.ts';
import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const idle: CommandDefinition<SimpleCommand<'IDLE'>> = {
  states: LOGGED_IN,
  parse: parseSimple('IDLE'),
  async run(_, session) {
    const { input } = session;
    session.continuation('idling');
    // What happened before the client began to listen comes first.
    await session.tellNews({ expunges: true });
    while (!session.gone) {
      const line = input.framer.line();
      if (line !== undefined) {
        if (line.kind === 'line' && line.text.toUpperCase() === 'DONE') return ok('IDLE completed');
        throw new Failure('syntax', 'IDLE ends with DONE');
      }
      if (input.closed) break;
      if (session.takeNews()) await session.tellNews({ expunges: true });
      else {
        session.idling = true;
        await input.wait();
        session.idling = false;
      }
    }
    throw new Failure('unavailable', 'The connection was closed');
  },
};
