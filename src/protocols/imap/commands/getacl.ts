// GETACL, LISTRIGHTS and MYRIGHTS: who may do what in a mailbox. RFC 4314 §3.3, §3.4, §3.5
//
// Rights that RFC 2086 had, `c` and `d`, are told along with those that they mean. RFC 4314 §2.1.1

import { Failure } from '../../../base/failure.ts';
import { identifierOf, textOfIdentity } from '../../../routing/identifier.ts';
import { aclOf } from '../../../routing/mailbox-rights.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { MAILBOX_RIGHTS, type MailboxRight } from '../../../store/rights.ts';
import { type AclCommand, parseIdentified, parseOfMailbox } from '../../../wire/imap/commands/acl.ts';
import { encodeAcl, encodeListRights, encodeMyRights } from '../../../wire/imap/responses/acl.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, shownName, spelledFor } from '../named-mailbox.ts';
import { rightsIn } from '../permitted.ts';
import { ok } from '../reply.ts';

export const getacl: CommandDefinition<AclCommand & { readonly name: 'GETACL' }> = {
  states: LOGGED_IN,
  parse: parseOfMailbox('GETACL'),
  run({ mailbox: name }, session) {
    const { owner, id } = found(session, name, 'a');
    const { reader, rights } = session.door;
    const party = rights.parties.byAccount(owner);
    const lines: (readonly [string, string])[] = [];
    // A list is not its mailbox's owner by name: its members are.
    if (party?.address !== undefined && !party.isList) lines.push([octets(party.address), withOld(MAILBOX_RIGHTS)]);
    const given: (readonly [string, string])[] = [];
    for (const row of party === undefined ? [] : aclOf(reader, party, { owner, mailbox: id })) {
      const identifier = textOfIdentity(rights.parties, row);
      if (identifier !== undefined) given.push([octets(identifier), withOld(row.rights)]);
    }
    given.sort(([one], [other]) => (placeOf(one) < placeOf(other) ? -1 : 1));
    session.write(encodeAcl(spelled(session, name, { owner, name }), [...lines, ...given]));
    return ok('GETACL completed');
  },
};

/** By name: what is taken away, `-NAME`, stands behind what is given to that name. */
function placeOf(identifier: string): string {
  return identifier.startsWith('-') ? `${identifier.slice(1)} -` : identifier;
}

export const listrights: CommandDefinition<AclCommand & { readonly name: 'LISTRIGHTS' }> = {
  states: LOGGED_IN,
  parse: parseIdentified('LISTRIGHTS'),
  run({ mailbox: name, identifier }, session) {
    const { owner } = found(session, name, 'a');
    const { parties } = session.door.rights;
    const { identity, negative } = identifierOf(parties, Buffer.from(identifier, 'latin1').toString());
    const party = parties.byAccount(owner);
    const isOwner = party?.isList === false && party.uuid === identity && !negative;
    const groups = isOwner ? ([withOld(MAILBOX_RIGHTS)] as const) : (['', ...MAILBOX_RIGHTS, 'c', 'd'] as const);
    session.write(encodeListRights(spelled(session, name, { owner, name }), identifier, groups));
    return ok('LISTRIGHTS completed');
  },
};

export const myrights: CommandDefinition<AclCommand & { readonly name: 'MYRIGHTS' }> = {
  states: LOGGED_IN,
  parse: parseOfMailbox('MYRIGHTS'),
  run({ mailbox: name }, session) {
    const row = found(session, name);
    session.write(myRightsOf(session, row, spelled(session, name, { owner: row.owner, name })));
    return ok('MYRIGHTS completed');
  },
};

/** The response for a mailbox, as the client has its name spelled. */
export function myRightsOf(session: ImapConversation, { owner, id }: Mailbox, spelled: string): string {
  return encodeMyRights(spelled, withOld(rightsIn(session, { owner, mailbox: id }).rights));
}

function found(session: ImapConversation, name: string, ...needed: readonly MailboxRight[]): Mailbox {
  const row = findNamed(session, name, ...needed);
  if (row === undefined) throw new Failure('not-found', 'No such mailbox');
  return row;
}

function spelled(session: ImapConversation, name: string, place: Pick<Mailbox, 'owner' | 'name'>): string {
  return spelledFor(session, shownName(session, place, name));
}

function octets(address: string): string {
  return Buffer.from(address).toString('latin1');
}

function withOld(rights: string): string {
  return rights + (/[kx]/.test(rights) ? 'c' : '') + (/[te]/.test(rights) ? 'd' : '');
}
