// A folder as administrators name it: the address whose mailbox it is in, and its name there.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import type { Parties, Party } from '../routing/identities.ts';
import type { MailboxKey } from '../store/mailbox-key.ts';
import { canonicalMailboxName, findMailbox, type Mailbox } from '../store/mailboxes.ts';
import { mailAddressOf } from './naming.ts';

/** As the owner names it: `INBOX`, `Projects/2026`. */
export const folderInput = z.string().min(1).max(500);

export interface OwnedFolder {
  /** Whose it is. */
  readonly party: Party;
  readonly key: MailboxKey;
  readonly mailbox: Mailbox;
}

/** Throws `not-found` for an address without a mailbox here, and for a folder that is not there. */
export function ownedFolder(
  reader: Reader,
  parties: Parties,
  { address, folder }: { readonly address: string; readonly folder: string },
): OwnedFolder {
  const { text } = mailAddressOf(address);
  const party = parties.byAddress(text);
  const owner = party?.account;
  if (owner === undefined) throw new Failure('not-found', `no mailbox here has the address ${text}`);
  const mailbox = findMailbox(reader, owner, canonicalMailboxName(folder));
  if (mailbox === undefined) throw new Failure('not-found', `${text} has no folder ${folder}`);
  return { party: party!, key: { owner, mailbox: mailbox.id }, mailbox };
}
