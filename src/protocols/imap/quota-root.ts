// The one quota root of an account, named by its address: what has a limit there, and how much of it is used.
//
// In      who has logged in, and the limits of its mailbox as the directory has them now
// Out     STORAGE in units of 1024 octets, MESSAGE, MAILBOX
// RFC 9208 §3, §5

import { countMailboxes, MAILBOXES_MAX } from '../../store/mailboxes.ts';
import { quotaUse } from '../../store/quota.ts';
import type { QuotaResource } from '../../wire/imap/responses/quota.ts';
import type { ImapConversation } from './conversation.ts';

const STORAGE_UNIT = 1024;

/** As octets: an address may be beyond ASCII. */
export function quotaRootOf({ address }: ImapConversation): string {
  return Buffer.from(address).toString('latin1');
}

export function quotaResources({ door, owner, quota = {} }: ImapConversation): QuotaResource[] {
  const { octets, messages } = quota;
  const resources: QuotaResource[] = [];
  const use =
    octets === undefined && messages === undefined ? { octets: 0, messages: 0 } : quotaUse(door.reader, owner);
  if (octets !== undefined) {
    const usage = Math.ceil(use.octets / STORAGE_UNIT);
    resources.push({ name: 'STORAGE', usage, limit: Math.floor(octets / STORAGE_UNIT) });
  }
  if (messages !== undefined) resources.push({ name: 'MESSAGE', usage: use.messages, limit: messages });
  resources.push({ name: 'MAILBOX', usage: countMailboxes(door.reader, owner), limit: MAILBOXES_MAX });
  return resources;
}
