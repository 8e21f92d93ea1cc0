// CANCELUPDATE: the client wants to hear no more of these searches. A tag without one: BAD, as Dovecot. RFC 5267 §4.3.5

import { type CancelUpdateCommand, parseCancelUpdate } from '../../../wire/imap/commands/cancelupdate.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { bad, ok } from '../reply.ts';
import { SearchContexts } from '../search-contexts.ts';

export const cancelUpdate: CommandDefinition<CancelUpdateCommand> = {
  states: SELECTED,
  parse: parseCancelUpdate,
  run({ tags }, session) {
    const contexts = SearchContexts.of(session);
    const unknown = tags.filter((tag) => !contexts.cancel(tag));
    return unknown.length === 0 ? ok('CANCELUPDATE completed') : bad('There is no search of that tag');
  },
};
