// The one quota root of an account, named by its address: what has a limit there, and how much of it is used.
//
// In      who has logged in; a mailbox, or the name of a root
// Out     STORAGE in units of 1024 octets, MESSAGE, MAILBOX, by the limits that the directory has now
// Others  what is shared counts at its owner's, and is shown to who has the right `r` in one of the owner's mailboxes
// RFC 9208 §3, §5

import type { AccountId } from '../../base/ids.ts';
import type { MailboxKey } from '../../store/mailbox-key.ts';
import { countMailboxes, listMailboxes, MAILBOXES_MAX } from '../../store/mailboxes.ts';
import { type Quota, quotaUse } from '../../store/quota.ts';
import type { QuotaResource } from '../../wire/imap/responses/quota.ts';
import type { ImapConversation } from './conversation.ts';
import { rightsIn } from './permitted.ts';

const STORAGE_UNIT = 1024;

export interface QuotaRoot {
  /** As octets: an address may be beyond ASCII. */
  readonly name: string;
  readonly account: AccountId;
  readonly quota: Quota | undefined;
}

function ownRoot({ address, owner, quota }: ImapConversation): QuotaRoot {
  return { name: octetsOf(address), account: owner, quota };
}

function octetsOf(address: string): string {
  return Buffer.from(address).toString('latin1');
}

/** Of a mailbox that may be read. Undefined: its owner has no address now. */
export function rootOfMailbox(session: ImapConversation, { owner }: Pick<MailboxKey, 'owner'>): QuotaRoot | undefined {
  if (owner === session.owner) return ownRoot(session);
  const party = session.door.rights.parties.byAccount(owner);
  return party?.address === undefined
    ? undefined
    : { name: octetsOf(party.address), account: owner, quota: party.quota };
}

/** Undefined: there is none of this name, as octets, that the one who has logged in may see. */
export function rootNamed(session: ImapConversation, name: string): QuotaRoot | undefined {
  const own = ownRoot(session);
  if (name.toLowerCase() === own.name.toLowerCase()) return own;
  const owner = session.door.rights.parties.byAddress(Buffer.from(name, 'latin1').toString())?.account;
  const root = owner === undefined ? undefined : rootOfMailbox(session, { owner });
  const isNamed = root?.name.toLowerCase() === name.toLowerCase();
  return isNamed && readsSomethingOf(session, owner!) ? root : undefined;
}

function readsSomethingOf(session: ImapConversation, owner: AccountId): boolean {
  const { reader, rights } = session.door;
  const mayRead = (key: MailboxKey): boolean => {
    const now = rightsIn(session, key).rights;
    return now.includes('l') && now.includes('r');
  };
  if (rights.givenTo(session.reader).some((key) => key.owner === owner && mayRead(key))) return true;
  const isOfList = rights.listsOf(session.reader).some(({ account }) => account === owner);
  return isOfList && listMailboxes(reader, owner).some(({ id }) => mayRead({ owner, mailbox: id }));
}

export function quotaResources(
  { door: { reader } }: Pick<ImapConversation, 'door'>,
  { account, quota = {} }: Pick<QuotaRoot, 'account' | 'quota'>,
): QuotaResource[] {
  const { octets, messages } = quota;
  const resources: QuotaResource[] = [];
  const use = octets === undefined && messages === undefined ? { octets: 0, messages: 0 } : quotaUse(reader, account);
  if (octets !== undefined) {
    const usage = Math.ceil(use.octets / STORAGE_UNIT);
    resources.push({ name: 'STORAGE', usage, limit: Math.floor(octets / STORAGE_UNIT) });
  }
  if (messages !== undefined) resources.push({ name: 'MESSAGE', usage: use.messages, limit: messages });
  resources.push({ name: 'MAILBOX', usage: countMailboxes(reader, account), limit: MAILBOXES_MAX });
  return resources;
}
