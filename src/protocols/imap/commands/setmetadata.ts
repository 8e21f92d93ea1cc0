// SETMETADATA: notes on a mailbox or on the server, all that a command names or none. RFC 5464 §4.3, §5
//
// Rights  `r` for one's own below /private, `w` for all others' below /shared; `a` for what changes behaviour. Nobody has any
//         below the server's /shared

import { Failure } from '../../../base/failure.ts';
import { BEHAVIOUR, isShared, METADATA_VALUE_MAX, setMetadata, setServerMetadata } from '../../../store/metadata.ts';
import type { MailboxRight } from '../../../store/rights.ts';
import { type MetadataCommand, type MetadataValue, parseSetMetadata } from '../../../wire/imap/commands/metadata.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure, metadataTooLarge } from '../errors.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed } from '../named-mailbox.ts';
import { permitted, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const setmetadata: CommandDefinition<MetadataCommand & { readonly name: 'SETMETADATA' }> = {
  states: LOGGED_IN,
  parse: parseSetMetadata,
  async run({ mailbox, values }, session) {
    if (values.some(({ value }) => (value?.length ?? 0) > METADATA_VALUE_MAX)) throw metadataTooLarge();
    try {
      await (mailbox === '' ? setOnServer(session, values) : setOnMailbox(session, mailbox, values));
    } catch (error) {
      if (error instanceof Failure && error.kind === 'too-many')
        throw new ImapFailure('too-many', error.message, 'METADATA TOOMANY');
      throw error;
    }
    return ok('SETMETADATA completed');
  },
};

async function setOnMailbox(session: ImapConversation, name: string, values: readonly MetadataValue[]): Promise<void> {
  const needed = new Set<MailboxRight>(values.map(({ entry }) => rightFor(entry)));
  await whileRightsMove(async () => {
    const row = findNamed(session, name, ...needed);
    if (row === undefined) throw new Failure('not-found', 'No such mailbox');
    const key = { owner: row.owner, mailbox: row.id };
    const args = { ...key, reader: session.reader, values, ...permitted(session, key, ...needed) };
    await session.door.writer.execute(setMetadata, args);
  });
}

async function setOnServer({ door, reader }: ImapConversation, values: readonly MetadataValue[]): Promise<void> {
  if (values.some(({ entry }) => isShared(entry)))
    throw new Failure('denied', 'What the server shares cannot be changed here');
  await door.writer.execute(setServerMetadata, { account: reader, values });
}

function rightFor(entry: string): MailboxRight {
  if (entry.startsWith(BEHAVIOUR)) return 'a';
  return isShared(entry) ? 'w' : 'r';
}
