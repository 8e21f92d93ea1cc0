// LIST. RFC 3501 §6.3.8, RFC 6154 §2: special-use attributes come with plain LIST.

import { listMailboxes, type Mailbox } from '../../../store/mailboxes.ts';
import { type ListCommand, parseList } from '../../../wire/imap/commands/list.ts';
import { encodeMailboxName } from '../../../wire/imap/mailbox-name.ts';
import { encodeList } from '../../../wire/imap/responses/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ListPattern } from '../list-pattern.ts';
import { ok } from '../reply.ts';

export const list: CommandDefinition<ListCommand> = {
  states: LOGGED_IN,
  parse: parseList('LIST'),
  async run({ reference, pattern }, session) {
    if (pattern === '') {
      // A question about the separator and the root of the reference, which is always the same here.
      session.write(encodeList('LIST', ['\\Noselect'], ''));
      return ok('LIST completed');
    }
    const wanted = new ListPattern(reference + pattern);
    for (const mailbox of listMailboxes(session.door.reader, session.owner)) {
      if (!wanted.matches(encodeMailboxName(mailbox.name))) continue;
      session.write(encodeList('LIST', attributesOf(mailbox), mailbox.name));
      await session.breathe();
    }
    return ok('LIST completed');
  },
};

function attributesOf({ selectable, specialUse }: Mailbox): string[] {
  const attributes = selectable ? [] : ['\\Noselect'];
  return specialUse === undefined ? attributes : [...attributes, specialUse];
}
