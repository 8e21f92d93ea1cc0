// Accounts: what a user entry owns in the store. Bound to the entry's UUID, so a renamed or moved entry keeps its mail.

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId, type Modseq } from '../base/ids.ts';
import type { Reader, Transaction } from '../database/operation.ts';

/** INBOX's number in every account. */
export const INBOX = idOf<MailboxId>(1);

// RETURNING makes SQLite keep a journal of the statement, and its end walks through that of all that the operation has changed: an
// import of 500 users would pay for 5,000 pages each time. What makes accounts does without.
const OF_ENTRY = 'SELECT id FROM account WHERE tenant = ? AND uuid = ?';

interface AccountOwner {
  readonly uuid: string;
  readonly tenant: number;
  /** Nobody has had this UUID before: there is no account to look for. */
  readonly isNew?: boolean;
}

/** The account of this entry; made with its INBOX when there is none. */
export async function ensureAccount(
  tx: Transaction,
  { uuid, tenant, isNew = false }: AccountOwner,
): Promise<AccountId> {
  const existing = isNew ? undefined : await findAccount(tx, { tenant, uuid });
  if (existing !== undefined) return existing;
  const insert = 'INSERT INTO account (tenant, uuid, created, next_mailbox) VALUES (?, ?, unixepoch() * 1000, ?)';
  const account = idOf<AccountId>(await tx.insert(insert, tenant, uuid, INBOX + 1));
  await insertMailbox(tx, { owner: account, mailbox: INBOX, name: 'INBOX', selectable: true });
  return account;
}

/** In a transaction; undefined for an entry that has none. */
export async function findAccount(
  tx: Transaction,
  { tenant, uuid }: Pick<AccountOwner, 'tenant' | 'uuid'>,
): Promise<AccountId | undefined> {
  const [row] = await tx.arrays(OF_ENTRY, tenant, uuid);
  return row === undefined ? undefined : idOf(row[0]);
}

/** 0 for an entry that has none. */
export function readAccount(reader: Reader, entry: { readonly uuid: string; readonly tenant: number }): AccountId {
  return idOf(
    reader.get('SELECT id FROM account WHERE tenant = ? AND uuid = ?', entry.tenant, entry.uuid)?.['id'] ?? 0,
  );
}

/** Undefined: there is no such account. */
export function entryOfAccount(reader: Reader, account: AccountId): string | undefined {
  const row = reader.get('SELECT uuid FROM account WHERE id = ?', account);
  return row === undefined ? undefined : String(row['uuid']);
}

export async function entryOfAccountIn(tx: Transaction, account: AccountId): Promise<string | undefined> {
  const [row] = await tx.arrays('SELECT uuid FROM account WHERE id = ?', account);
  return row === undefined ? undefined : String(row[0]);
}

/** A new mailbox row; the caller has checked the name. Gives its number and uidvalidity. */
export async function createMailboxRow(
  tx: Transaction,
  owner: AccountId,
  name: string,
  options: { readonly selectable: boolean; readonly specialUse?: string },
): Promise<{ mailbox: MailboxId; uidValidity: number }> {
  const next = await tx.get('SELECT next_mailbox AS id FROM account WHERE id = ?', owner);
  if (next === undefined) throw new Failure('not-found', 'No such account');
  await tx.run('UPDATE account SET next_mailbox = next_mailbox + 1 WHERE id = ?', owner);
  const mailbox = idOf<MailboxId>(next['id']);
  await insertMailbox(tx, { owner, mailbox, name, ...options });
  const row = await tx.get('SELECT uidvalidity FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  return { mailbox, uidValidity: Number(row?.['uidvalidity']) };
}

interface NewMailbox {
  readonly owner: AccountId;
  readonly mailbox: MailboxId;
  readonly name: string;
  readonly selectable: boolean;
  readonly specialUse?: string;
}

// OR FAIL: mailboxes have triggers, there are two counters, and for a statement that ABORT would undo in parts SQLite keeps that journal, too.
const INSERT_MAILBOX = `INSERT OR FAIL INTO mailbox (account, id, name, uidvalidity, uidnext, modseq, messages, unseen, bytes,
    recent_from, selectable, special_use)
  VALUES (?, ?, ?, (SELECT value FROM counter WHERE name = 'uidvalidity'), 1,
    (SELECT value FROM counter WHERE name = 'modseq'), 0, 0, 0, 1, ?, ?)`;

const COUNT_MAILBOX = "UPDATE OR FAIL counter SET value = value + 1 WHERE name IN ('uidvalidity', 'modseq')";

/** The caller has checked the name, and knows the number to be free. */
export async function insertMailbox(
  tx: Transaction,
  { owner, mailbox, name, selectable, specialUse }: NewMailbox,
): Promise<void> {
  await tx.run(COUNT_MAILBOX);
  await tx.run(INSERT_MAILBOX, owner, mailbox, name, selectable ? 1 : 0, specialUse ?? null);
}

/** One step for all that an operation changes. */
export async function nextModseq(tx: Transaction): Promise<Modseq> {
  await tx.run("UPDATE counter SET value = value + 1 WHERE name = 'modseq'");
  const [row] = await tx.arrays("SELECT value FROM counter WHERE name = 'modseq'");
  return idOf(row?.[0]);
}
