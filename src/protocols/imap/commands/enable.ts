// ENABLE: says which of the names have been switched on by it. RFC 5161 §3.1, RFC 9051 §6.3.1

import { type EnableCommand, parseEnable } from '../../../wire/imap/commands/enable.ts';
import { type EnableName, isEnableName } from '../enabled.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

/** Where it is not upper case. RFC 9051 §6.3.1 */
const spelled: Partial<Record<EnableName, string>> = { IMAP4REV2: 'IMAP4rev2' };

export const enable: CommandDefinition<EnableCommand> = {
  states: LOGGED_IN,
  parse: parseEnable,
  run({ extensions }, session) {
    const added = extensions.filter(isEnableName).filter((name) => session.enable(name));
    session.write(`* ENABLED${added.map((name) => ` ${spelled[name] ?? name}`).join('')}\r\n`);
    return ok('ENABLE completed');
  },
};
