// SUBSCRIBE and UNSUBSCRIBE. RFC 3501 §6.3.6, §6.3.7

import {
  canonicalMailboxName,
  subscribe as subscribeTo,
  unsubscribe as unsubscribeFrom,
} from '../../../store/mailboxes.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const subscribe: CommandDefinition<MailboxCommand<'SUBSCRIBE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('SUBSCRIBE'),
  async run({ mailbox }, { reader, door }) {
    await door.writer.execute(subscribeTo, { owner: reader, name: canonicalMailboxName(mailbox) });
    return ok('SUBSCRIBE completed');
  },
};

export const unsubscribe: CommandDefinition<MailboxCommand<'UNSUBSCRIBE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('UNSUBSCRIBE'),
  async run({ mailbox }, { reader, door }) {
    await door.writer.execute(unsubscribeFrom, { owner: reader, name: canonicalMailboxName(mailbox) });
    return ok('UNSUBSCRIBE completed');
  },
};
