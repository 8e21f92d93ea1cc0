// NAMESPACE: what the names of mailboxes begin with. RFC 2342 §5

import { FOREIGN_NAMES, SEPARATOR } from '../../../store/mailboxes.ts';
import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { encodeNamespaces, type Namespace } from '../../../wire/imap/responses/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

/** A line each: one's own mailboxes, other users', shared ones. */
const namespaces: readonly (readonly Namespace[])[] = [
  [{ prefix: '', separator: SEPARATOR }],
  ...FOREIGN_NAMES.map((name) => [{ prefix: name + SEPARATOR, separator: SEPARATOR }]),
];

export const namespace: CommandDefinition<SimpleCommand<'NAMESPACE'>> = {
  states: LOGGED_IN,
  parse: parseSimple('NAMESPACE'),
  run(_, session) {
    session.write(encodeNamespaces(namespaces));
    return ok('NAMESPACE completed');
  },
};
