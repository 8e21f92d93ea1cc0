// STARTTLS: behind the reply the connection goes on in TLS. Nothing was said before that would have to be forgotten: there is
// no login, and the client asks for the capabilities again. RFC 3501 §6.2.1
//
// Never  reads what stands behind it in the clear: a third party may have put it there

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, LOGGED_OUT } from '../handler.ts';
import { bad } from '../reply.ts';

export const starttls: CommandDefinition<SimpleCommand<'STARTTLS'>> = {
  states: LOGGED_OUT,
  parse: parseSimple('STARTTLS'),
  run(_, session) {
    if (session.door.tls === undefined) return bad('TLS is not offered here');
    if (session.record.tls !== undefined) return bad('TLS is active already');
    if (session.waitingBytes > 0) return { ...bad('Nothing may be sent behind STARTTLS'), next: 'end' };
    return { status: 'OK', text: 'Begin TLS', code: undefined, next: 'tls' };
  },
};
