// SETACL and DELETEACL: who may do what in a mailbox is changed by who has the right `a` there. RFC 4314 §3.1, §3.2

import { Failure } from '../../../base/failure.ts';
import { changedLine } from '../../../routing/identifier.ts';
import { setAcl } from '../../../store/acl.ts';
import { parseRights, type RightsChange } from '../../../store/rights.ts';
import { type AclCommand, parseIdentified, parseSetAcl } from '../../../wire/imap/commands/acl.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed } from '../named-mailbox.ts';
import { permitted, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const setacl: CommandDefinition<AclCommand & { readonly name: 'SETACL' }> = {
  states: LOGGED_IN,
  parse: parseSetAcl,
  async run({ mailbox, identifier, change, rights: letters }, session) {
    const rights = parseRights(letters);
    if (rights === undefined) throw new Failure('syntax', 'Rights are letters of lrswipkxtea, c or d');
    await set(session, { mailbox, identifier, change, rights });
    return ok('SETACL completed');
  },
};

export const deleteacl: CommandDefinition<AclCommand & { readonly name: 'DELETEACL' }> = {
  states: LOGGED_IN,
  parse: parseIdentified('DELETEACL'),
  async run({ mailbox, identifier }, session) {
    await set(session, { mailbox, identifier, change: 'replace', rights: '' });
    return ok('DELETEACL completed');
  },
};

interface Change {
  readonly mailbox: string;
  readonly identifier: string;
  readonly change: RightsChange;
  readonly rights: string;
}

async function set(session: ImapConversation, { mailbox: name, identifier, change, rights }: Change): Promise<void> {
  const { parties } = session.door.rights;
  await whileRightsMove(async () => {
    const row = findNamed(session, name, 'a');
    if (row === undefined) throw new Failure('not-found', 'No such mailbox');
    const key = { owner: row.owner, mailbox: row.id };
    const line = changedLine(parties, row.owner, Buffer.from(identifier, 'latin1').toString());
    const args = { ...key, ...line, change, rights, ...permitted(session, key, 'a') };
    await session.door.writer.execute(setAcl, args);
  });
}
