// Access control lists: who else may do what in an account's mailboxes.
//
// In      a mailbox, an identity (the UUID of a directory's entry, or `anyone`), rights
// Out     rows
// States  `rights` in the table `counter` moves with each change that may give somebody other rights, and all threads are told:
//         who has worked out rights at its value goes on with them while it stays
// Never   knows an address or who is in which list
// RFC 4314

import { Failure } from '../base/failure.ts';
import type { Transaction } from '../database/operation.ts';
import type { MailboxKey } from './mailbox-key.ts';

/** Somebody may have other rights with this commit. */
export function moveRights(tx: Transaction): void {
  tx.tally("UPDATE counter SET value = value + ? WHERE name = 'rights'", 1);
  tx.afterCommit({ kind: 'rights' });
}

/** Throws `conflict` where rights have moved since they were worked out: they are to be worked out again. */
export async function checkRightsRevision(tx: Transaction, revision: number | undefined): Promise<void> {
  if (revision === undefined) return;
  const row = await tx.get("SELECT value FROM counter WHERE name = 'rights'");
  if (Number(row?.['value']) !== revision) throw new Failure('conflict', RIGHTS_HAVE_MOVED);
}

const RIGHTS_HAVE_MOVED = 'Rights have changed meanwhile, try again';

/** A new mailbox has its parent's list; what changes there afterwards does not pass down. */
export async function inheritAcl(tx: Transaction, { owner, mailbox }: MailboxKey, parent: string): Promise<void> {
  const copied = await tx.run(
    `INSERT INTO acl (owner, mailbox, identity, negative, rights)
     SELECT a.owner, ?, a.identity, a.negative, a.rights FROM mailbox m JOIN acl a ON a.owner = m.account AND a.mailbox = m.id
     WHERE m.account = ? AND m.name = ?`,
    mailbox,
    owner,
    parent,
  );
  if (copied > 0) moveRights(tx);
}

/** The mailbox goes. */
export async function dropAcl(tx: Transaction, { owner, mailbox }: MailboxKey): Promise<void> {
  const dropped = await tx.run('DELETE FROM acl WHERE owner = ? AND mailbox = ?', owner, mailbox);
  if (dropped > 0) moveRights(tx);
}

/** The entry goes, and whatever names it. */
export async function dropIdentity(tx: Transaction, identity: string): Promise<void> {
  await tx.run('DELETE FROM acl WHERE identity = ?', identity);
}
