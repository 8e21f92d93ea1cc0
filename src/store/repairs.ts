// What the repair of the store writes: each in a transaction of its own, which looks again whether it is needed.
//
// In      one fix: which row, and for sums what they were and what they are, as one state of the database had it
// Out     whether something was set right; false: it is right now, or another one than was seen
// Sums    a counter becomes what was counted only while it still says what it said then: each ordinary change moves both alike, so mail
//         may come and go between the count and the fix
// Never   removes a message that is there, or a reference to one: rows whose mailbox is gone get a mailbox, and a message that nobody refers
//         to goes to its keeper

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId, type MessageId, type Uid } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { INBOX, insertMailbox, nextModseq } from './accounts.ts';
import { HAS_ACCOUNT, hasMailbox } from './check.ts';
import { addReferences, deliverToMailboxes } from './deliver.ts';
import { removeMessages } from './expunge.ts';
import { makeMailbox } from './mailboxes.ts';

export interface MailboxSums {
  readonly messages: number;
  readonly unseen: number;
  readonly bytes: number;
}

export interface QuotaSums {
  readonly octets: number;
  readonly messages: number;
}

interface InMailbox {
  readonly account: AccountId;
  readonly mailbox: MailboxId;
}

export type Fix =
  | { readonly kind: 'counter'; readonly name: string; readonly least: number }
  /** `uuid`: of the entry that it is bound to. */
  | { readonly kind: 'account'; readonly account: AccountId; readonly uuid: string }
  | { readonly kind: 'inbox'; readonly account: AccountId }
  | { readonly kind: 'next-mailbox'; readonly account: AccountId }
  | ({ readonly kind: 'sums'; readonly kept: MailboxSums; readonly counted: MailboxSums } & InMailbox)
  | ({ readonly kind: 'uidnext' } & InMailbox)
  | ({ readonly kind: 'modseq'; readonly least: number } & InMailbox)
  | { readonly kind: 'quota'; readonly root: number; readonly kept: QuotaSums; readonly counted: QuotaSums }
  /** Its mailboxes count for no domain until the next start has looked at all. */
  | { readonly kind: 'quota-root'; readonly root: number }
  | ({ readonly kind: 'as-inbox' } & InMailbox)
  | ({ readonly kind: 'no-message'; readonly uid: Uid } & InMailbox)
  | ({ readonly kind: 'size'; readonly uid: Uid } & InMailbox)
  | ({ readonly kind: 'no-mailbox' } & InMailbox)
  | { readonly kind: 'refs'; readonly message: MessageId; readonly kept: number; readonly counted: number }
  /** Nobody refers to it any more: the keeper gets it. */
  | { readonly kind: 'found'; readonly message: MessageId; readonly kept: number; readonly keeper: AccountId }
  /** The file is there. */
  | { readonly kind: 'segment'; readonly segment: number; readonly at: number }
  | { readonly kind: 'orphans'; readonly table: string; readonly account: AccountId; readonly mailbox?: MailboxId };

type Kind = Fix['kind'];
type Of<K extends Kind> = Extract<Fix, { readonly kind: K }>;

const FIXES: { readonly [K in Kind]: (tx: Transaction, fix: Of<K>) => Promise<boolean> } = {
  async counter(tx, { name, least }) {
    return (await tx.run('UPDATE counter SET value = ? WHERE name = ? AND value < ?', least, name, least)) > 0;
  },
  async account(tx, { account, uuid }) {
    const isThere = (await tx.get('SELECT 1 FROM account WHERE id = ?', account)) !== undefined;
    const isTaken = (await tx.get('SELECT 1 FROM account WHERE tenant = ? AND uuid = ?', TENANT, uuid)) !== undefined;
    if (isThere || isTaken) return false;
    await tx.run(
      `INSERT INTO account (id, tenant, uuid, created, next_mailbox, furnished)
       VALUES (?, ?, ?, unixepoch() * 1000, coalesce((SELECT max(id) FROM mailbox WHERE account = ?), 1) + 1, 1)`,
      account,
      TENANT,
      uuid,
      account,
    );
    return true;
  },
  async inbox(tx, { account }) {
    const isAccount = (await tx.get('SELECT 1 FROM account WHERE id = ?', account)) !== undefined;
    const row = await tx.get('SELECT name, selectable FROM mailbox WHERE account = ? AND id = ?', account, INBOX);
    if (!isAccount || (row?.['name'] === 'INBOX' && row['selectable'] === 1)) return false;
    const other = "UPDATE mailbox SET name = ? WHERE account = ? AND name = 'INBOX' AND id <> ?";
    await tx.run(other, await freeName(tx, account, 'Recovered INBOX'), account, INBOX);
    const named = "UPDATE mailbox SET name = 'INBOX', selectable = 1, special_use = NULL WHERE account = ? AND id = ?";
    if (row === undefined) await makeMailboxOfRows(tx, { account, mailbox: INBOX }, 'INBOX');
    else await tx.run(named, account, INBOX);
    tx.afterCommit({ kind: 'mailboxes', account });
    return true;
  },
  async 'next-mailbox'(tx, { account }) {
    const highest = '(SELECT max(m.id) FROM mailbox m WHERE m.account = account.id)';
    const sql = `UPDATE account SET next_mailbox = ${highest} + 1 WHERE id = ? AND next_mailbox <= ${highest}`;
    return (await tx.run(sql, account)) > 0;
  },
  async sums(tx, { account, mailbox, kept, counted }) {
    const moved = await tx.run(
      `UPDATE mailbox SET messages = ?, unseen = ?, bytes = ?
       WHERE account = ? AND id = ? AND messages = ? AND unseen = ? AND bytes = ?`,
      counted.messages,
      counted.unseen,
      counted.bytes,
      account,
      mailbox,
      kept.messages,
      kept.unseen,
      kept.bytes,
    );
    return moved > 0;
  },
  async uidnext(tx, { account, mailbox }) {
    const least = await firstFreeUid(tx, { account, mailbox });
    const sql = 'UPDATE mailbox SET uidnext = ? WHERE account = ? AND id = ? AND uidnext < ?';
    return (await tx.run(sql, least, account, mailbox, least)) > 0;
  },
  async modseq(tx, { account, mailbox, least }) {
    const sql = 'UPDATE mailbox SET modseq = ? WHERE account = ? AND id = ? AND modseq < ?';
    return (await tx.run(sql, least, account, mailbox, least)) > 0;
  },
  async quota(tx, { root, kept, counted }) {
    const sql = 'UPDATE quota_root SET octets = ?, messages = ? WHERE id = ? AND octets = ? AND messages = ?';
    return (await tx.run(sql, counted.octets, counted.messages, root, kept.octets, kept.messages)) > 0;
  },
  async 'quota-root'(tx, { root }) {
    if ((await tx.get('SELECT 1 FROM quota_root WHERE id = ?', root)) !== undefined) return false;
    const some = 'SELECT account, id FROM mailbox WHERE quota_root = ? LIMIT +?';
    const sql = `UPDATE mailbox SET quota_root = NULL WHERE (account, id) IN (${some})`;
    return (await tx.run(sql, root, MAILBOXES)) > 0;
  },
  async 'as-inbox'(tx, { account, mailbox }) {
    const inbox = '(SELECT quota_root FROM mailbox WHERE account = ? AND id = ?)';
    const sql = `UPDATE mailbox SET quota_root = ${inbox} WHERE account = ? AND id = ? AND quota_root IS NOT ${inbox}`;
    return (await tx.run(sql, account, INBOX, account, mailbox, account, INBOX)) > 0;
  },
  async 'no-message'(tx, { account, mailbox, uid }) {
    const [row] = await tx.arrays(
      `SELECT message, flags, size, EXISTS (SELECT 1 FROM message m WHERE m.id = r.message),
         EXISTS (SELECT 1 FROM mailbox b WHERE b.account = r.account AND b.id = r.mailbox)
       FROM mailbox_message r WHERE account = ? AND mailbox = ? AND uid = ?`,
      ...[account, mailbox, uid],
    );
    if (row === undefined || row[3] === 1) return false;
    const victim = { uid, message: idOf<MessageId>(row[0]), flags: Number(row[1]), size: Number(row[2]) };
    if (row[4] === 1) await removeMessages(tx, { owner: account, mailbox }, [victim]);
    else
      await tx.run('DELETE FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid = ?', account, mailbox, uid);
    return true;
  },
  async size(tx, { account, mailbox, uid }) {
    const [row] = await tx.arrays(
      `SELECT r.size, m.length FROM mailbox_message r JOIN message m ON m.id = r.message
       WHERE r.account = ? AND r.mailbox = ? AND r.uid = ? AND r.size <> m.length`,
      ...[account, mailbox, uid],
    );
    if (row === undefined) return false;
    const [size, length] = [Number(row[0]), Number(row[1])];
    const key = [account, mailbox] as const;
    await tx.run(
      'UPDATE mailbox_message SET size = ? WHERE account = ? AND mailbox = ? AND uid = ?',
      length,
      ...key,
      uid,
    );
    await tx.run('UPDATE mailbox SET bytes = bytes + ? WHERE account = ? AND id = ?', length - size, ...key);
    return true;
  },
  async 'no-mailbox'(tx, { account, mailbox }) {
    const [row] = await tx.arrays(
      `SELECT ${hasMailbox()}, ${HAS_ACCOUNT} FROM mailbox_message t WHERE account = ? AND mailbox = ? LIMIT 1`,
      ...[account, mailbox],
    );
    if (row === undefined || row[0] === 1 || row[1] !== 1) return false;
    const isInbox = mailbox === INBOX;
    await makeMailboxOfRows(tx, { account, mailbox }, await freeName(tx, account, isInbox ? 'INBOX' : RECOVERED));
    tx.afterCommit({ kind: 'mailboxes', account });
    return true;
  },
  async refs(tx, { message, kept, counted }) {
    const now = await tx.get('SELECT refs FROM message WHERE id = ?', message);
    if (now === undefined || Number(now['refs']) !== kept) return false;
    await addReferences(tx, message, counted - kept);
    return true;
  },
  async found(tx, { message, kept, keeper }) {
    const row = await tx.get('SELECT refs, received, length FROM message WHERE id = ?', message);
    if (row === undefined || Number(row['refs']) !== kept) return false;
    await makeMailbox(tx, { owner: keeper, name: RECOVERED });
    const box = await tx.get('SELECT id FROM mailbox WHERE account = ? AND name = ?', keeper, RECOVERED);
    await tx.run('UPDATE message SET refs = 1 WHERE id = ?', message);
    const found = { id: message, received: Number(row['received']), size: Number(row['length']) };
    const [isThere] = await deliverToMailboxes(tx, found, [{ owner: keeper, mailbox: idOf(box?.['id']) }]);
    if (isThere !== true) throw new Failure('not-found', 'The mailbox for what was found is gone');
    return true;
  },
  async segment(tx, { segment, at }) {
    // Open: a thread may still write to it. The next start closes it.
    return (await tx.run('INSERT OR IGNORE INTO segment (id, thread, opened) VALUES (?, 0, ?)', segment, at)) > 0;
  },
  async orphans(tx, { table, account, mailbox }) {
    const key = KEYS[table];
    if (key === undefined) return false;
    const owner = key.startsWith('owner') ? 'owner' : 'account';
    const condition =
      mailbox === undefined
        ? `account = ? AND NOT ${HAS_ACCOUNT}`
        : `${owner} = ? AND mailbox = ? AND NOT ${hasMailbox(owner)}`;
    const of = mailbox === undefined ? [account] : [account, mailbox];
    const some = `SELECT ${key} FROM ${table} AS t WHERE ${condition} LIMIT +?`;
    return (await tx.run(`DELETE FROM ${table} WHERE (${key}) IN (${some})`, ...of, ORPHANS)) > 0;
  },
};

/** Where messages are that have lost their mailbox. */
export const RECOVERED = 'Recovered';

/** Tables of which rows may be of nothing, and their keys. */
const KEYS: Readonly<Record<string, string>> = {
  subscription: 'account, name',
  quota_warned: 'account',
  keyword: 'account, mailbox, name',
  vanished: 'account, mailbox, modseq, uid',
  reader_mailbox: 'owner, mailbox, reader',
  reader_status: 'owner, mailbox, reader, uid',
  metadata: 'owner, mailbox, reader, entry',
  server_metadata: 'account, entry',
};

/** Rows an operation. */
const ORPHANS = 2000;
const MAILBOXES = 500;

export const repair = operation('store.repair', (tx, fix: Fix): Promise<boolean> => {
  const run = FIXES[fix.kind] as (tx: Transaction, fix: Fix) => Promise<boolean>;
  return run(tx, fix);
});

/** Behind all that are in use, or have been. */
async function firstFreeUid(tx: Transaction, { account, mailbox }: InMailbox): Promise<number> {
  const row = await tx.get(
    `SELECT max(coalesce((SELECT max(uid) FROM mailbox_message WHERE account = ?1 AND mailbox = ?2), 0),
       coalesce((SELECT max(uid) FROM vanished WHERE account = ?1 AND mailbox = ?2), 0)) + 1 AS uid`,
    account,
    mailbox,
  );
  return Number(row?.['uid']);
}

/** A mailbox for rows that have lost theirs. It is counted here: there are few such rows, or this is the least of the worries. */
async function makeMailboxOfRows(tx: Transaction, { account, mailbox }: InMailbox, name: string): Promise<void> {
  await insertMailbox(tx, { owner: account, mailbox, name, selectable: true });
  const [sums] = await tx.arrays(
    `SELECT count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(size), 0), coalesce(max(modseq), 0)
     FROM mailbox_message WHERE account = ? AND mailbox = ?`,
    ...[account, mailbox],
  );
  const [messages, unseen, bytes, newest] = sums!.map(Number);
  await tx.run(
    `UPDATE mailbox SET uidnext = ?, modseq = max(modseq, ?), messages = ?, unseen = ?, bytes = ?
     WHERE account = ? AND id = ?`,
    await firstFreeUid(tx, { account, mailbox }),
    Math.max(newest!, await nextModseq(tx)),
    ...[messages!, unseen!, bytes!],
    ...[account, mailbox],
  );
  await tx.run('UPDATE account SET next_mailbox = max(next_mailbox, ?) WHERE id = ?', mailbox + 1, account);
}

async function freeName(tx: Transaction, account: AccountId, base: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base} ${n}`;
    if ((await tx.get('SELECT 1 FROM mailbox WHERE account = ? AND name = ?', account, name)) === undefined)
      return name;
  }
}
