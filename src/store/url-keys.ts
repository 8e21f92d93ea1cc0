// Keys with which accounts sign URLs of messages: one for each account and mailbox in which it has made such URLs.
//
// In      an account, and a mailbox, its own or another's
// Out     the key, KEY_BYTES random octets
// States  no row -> a row by the first URL -> no row by a reset, with the mailbox, with the account's entry: what was signed with it
//         is worth nothing from then on
// Never   shown, logged, or part of an answer
// RFC 4467 §2, §5

import { randomBytes } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Reader, type Transaction } from '../database/operation.ts';
import type { MailboxKey } from './mailbox-key.ts';

const KEY_BYTES = 32;

export interface UrlKeyPlace extends MailboxKey {
  /** Who signs. */
  readonly account: AccountId;
}

/** Undefined: nothing that it has signed there is worth anything. */
export function readUrlKey(reader: Reader, { account, owner, mailbox }: UrlKeyPlace): Uint8Array | undefined {
  const sql = 'SELECT key FROM url_key WHERE account = ? AND owner = ? AND mailbox = ?';
  const key = reader.arrays(sql, account, owner, mailbox)[0]?.[0];
  return key instanceof Uint8Array ? key : undefined;
}

/** Those that are there stay. Throws `not-found` for a mailbox that is gone. */
export const makeUrlKeys = operation('store.makeUrlKeys', async (tx, places: readonly UrlKeyPlace[]) => {
  for (const { account, owner, mailbox } of places) {
    const found = await tx.get('SELECT 1 AS found FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
    if (found === undefined) throw new Failure('not-found', 'No such mailbox');
    await tx.run(
      'INSERT OR IGNORE INTO url_key (account, owner, mailbox, key) VALUES (?, ?, ?, ?)',
      account,
      owner,
      mailbox,
      randomBytes(KEY_BYTES),
    );
  }
});

/** The account's keys, in one mailbox or in all. */
export const resetUrlKeys = operation(
  'store.resetUrlKeys',
  async (tx, { account, place }: { readonly account: AccountId; readonly place?: MailboxKey }) => {
    if (place === undefined) await tx.run('DELETE FROM url_key WHERE account = ?', account);
    else
      await tx.run(
        'DELETE FROM url_key WHERE account = ? AND owner = ? AND mailbox = ?',
        account,
        place.owner,
        place.mailbox,
      );
  },
);

/** The mailbox goes, and everybody's keys with it. */
export async function dropUrlKeysIn(tx: Transaction, { owner, mailbox }: MailboxKey): Promise<void> {
  await tx.run('DELETE FROM url_key WHERE owner = ? AND mailbox = ?', owner, mailbox);
}

/** The account's entry goes: its own keys, and everybody's in its mailboxes. */
export async function dropUrlKeysOf(tx: Transaction, entry: string): Promise<void> {
  const [row] = await tx.arrays('SELECT id FROM account WHERE tenant = ? AND uuid = ?', TENANT, entry);
  if (row === undefined) return;
  const account = idOf<AccountId>(row[0]);
  await tx.run('DELETE FROM url_key WHERE account = ?', account);
  await tx.run('DELETE FROM url_key WHERE owner = ?', account);
}
