// Access control lists: who else may do what in an account's mailboxes.
//
// In      a mailbox, an identity (the UUID of a directory's entry, or `anyone`), rights
// Out     rows; the mailboxes in which any of some identities has a row
// States  `rights` in the table `counter` moves with each change that may give somebody other rights, and all threads are told:
//         who has worked out rights at its value goes on with them while it stays
// Limits  ACL_ROWS_MAX rows a mailbox
// Never   knows an address or who is in which list (routing/identities.ts)
// RFC 4314

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId } from '../base/ids.ts';
import { operation, type Reader, type Transaction, type Value } from '../database/operation.ts';
import type { MailboxKey } from './mailbox-key.ts';
import { type AclRow, changedRights, type RightsChange } from './rights.ts';

/** Rows of one mailbox. */
const ACL_ROWS_MAX = 1000;

const OF_MAILBOX =
  'SELECT identity, rights, negative FROM acl WHERE owner = ? AND mailbox = ? ORDER BY identity, negative';
const OF_IDENTITIES = `SELECT DISTINCT owner, mailbox FROM acl
  WHERE identity IN (SELECT value FROM json_each(?)) AND negative = 0 ORDER BY owner, mailbox LIMIT +?`;

/** Identities in their order; of one identity what is given, then what is taken. */
export function readAcl(reader: Reader, { owner, mailbox }: MailboxKey): AclRow[] {
  return reader.arrays(OF_MAILBOX, owner, mailbox).map(aclRow);
}

export async function aclIn(tx: Pick<Transaction, 'arrays'>, { owner, mailbox }: MailboxKey): Promise<AclRow[]> {
  return (await tx.arrays(OF_MAILBOX, owner, mailbox)).map(aclRow);
}

function aclRow([identity, rights, negative]: readonly Value[]): AclRow {
  return { identity: String(identity), rights: String(rights), negative: negative === 1 };
}

/** Whether something is given to somebody in one of this account's mailboxes. */
export async function givesRightsIn(tx: Pick<Transaction, 'arrays'>, owner: AccountId): Promise<boolean> {
  return (await tx.arrays('SELECT 1 FROM acl WHERE owner = ? AND negative = 0 LIMIT 1', owner)).length > 0;
}

/** Mailboxes in which something is given to one of these, by one index; at most `limit`. */
export function mailboxesGivenTo(reader: Reader, identities: readonly string[], limit: number): MailboxKey[] {
  return reader
    .arrays(OF_IDENTITIES, JSON.stringify(identities), limit)
    .map(([owner, mailbox]) => ({ owner: idOf<AccountId>(owner), mailbox: idOf<MailboxId>(mailbox) }));
}

/** What the counter says in this state: rights that were worked out at it hold while it does. */
export function rightsRevision(reader: Reader): number {
  return Number(reader.arrays("SELECT value FROM counter WHERE name = 'rights'")[0]?.[0]);
}

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

export function haveRightsMoved(error: unknown): boolean {
  return error instanceof Failure && error.kind === 'conflict' && error.message === RIGHTS_HAVE_MOVED;
}

export interface SetAclArguments extends MailboxKey {
  readonly identity: string;
  readonly negative: boolean;
  readonly change: RightsChange;
  readonly rights: string;
  /** What the row has while there is none: a list's mailbox begins with some. */
  readonly before: string;
  /** At which revision whoever sets it had the right to. */
  readonly rightsAt?: number;
}

/** A row without rights stays where there would be some without a row, else it goes. */
export const setAcl = operation('store.setAcl', async (tx, args: SetAclArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const { owner, mailbox, identity, before } = args;
  const found = await tx.get('SELECT 1 AS found FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (found === undefined) throw new Failure('not-found', 'No such mailbox');
  const key = [owner, mailbox, identity, args.negative ? 1 : 0];
  const row = await tx.get(
    'SELECT rights FROM acl WHERE owner = ? AND mailbox = ? AND identity = ? AND negative = ?',
    ...key,
  );
  const rights = changedRights(row === undefined ? before : String(row['rights']), args.change, args.rights);
  if (rights === '' && before === '')
    await tx.run('DELETE FROM acl WHERE owner = ? AND mailbox = ? AND identity = ? AND negative = ?', ...key);
  else
    await tx.run(
      'INSERT OR REPLACE INTO acl (owner, mailbox, identity, negative, rights) VALUES (?, ?, ?, ?, ?)',
      ...key,
      rights,
    );
  const count = await tx.get('SELECT count(*) AS n FROM acl WHERE owner = ? AND mailbox = ?', owner, mailbox);
  if (Number(count?.['n']) > ACL_ROWS_MAX)
    throw new Failure(
      'too-many',
      `A mailbox's list can have ${ACL_ROWS_MAX} lines; a directory list stands for many people`,
    );
  moveRights(tx);
  tx.afterCommit({ kind: 'mailboxes', account: owner });
});

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
