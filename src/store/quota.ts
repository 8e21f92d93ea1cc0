// What an account, and the accounts of a domain together, may hold; and what they hold now.
//
// In      an account, its limits (routing says them), what is to be added
// Out     whether there is room; use in octets and messages
// Counts  an account's use is the sum of its `mailbox` rows, read only where it has a limit: a delivery to others pays nothing.
//         A domain with a limit has a row in `quota_root`, which triggers of `mailbox` keep in the transaction of each change
//         (tables.ts). Every reference counts in full, also one that is \Deleted
// RFC 9208 §3

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { operation, type Reader, type Row, type Transaction } from '../database/operation.ts';

/** Absent: no limit. */
export interface QuotaLimit {
  readonly octets?: number;
  readonly messages?: number;
}

export interface Quota extends QuotaLimit {
  /** Of all accounts of the domain. */
  readonly domain?: QuotaLimit & { readonly name: string };
}

export interface QuotaUse {
  readonly octets: number;
  readonly messages: number;
}

const USE_OF_ACCOUNT =
  'SELECT coalesce(sum(bytes), 0) AS octets, coalesce(sum(messages), 0) AS messages FROM mailbox WHERE account = ?';
const USE_OF_DOMAIN = 'SELECT octets, messages FROM quota_root WHERE name = ?';

function useOfRow(row: Row | undefined): QuotaUse {
  return { octets: Number(row?.['octets'] ?? 0), messages: Number(row?.['messages'] ?? 0) };
}

export function quotaUse(reader: Reader, account: AccountId): QuotaUse {
  return useOfRow(reader.get(USE_OF_ACCOUNT, account));
}

export function domainQuotaUse(reader: Reader, domain: string): QuotaUse {
  return useOfRow(reader.get(USE_OF_DOMAIN, domain));
}

async function quotaUseIn(tx: Transaction, account: AccountId): Promise<QuotaUse> {
  return useOfRow(await tx.get(USE_OF_ACCOUNT, account));
}

/** Whether so much more may be held. A limit of 0 lets nothing in, not even an empty message. */
function fits({ octets, messages }: QuotaLimit, use: QuotaUse, more: QuotaUse): boolean {
  return (
    (octets === undefined || use.octets + Math.max(1, more.octets) <= octets) &&
    (messages === undefined || use.messages + more.messages <= messages)
  );
}

/** As a reader sees it now: for a reply that a later, exact look may take back. */
export function hasRoom(reader: Reader, account: AccountId, quota: Quota, more: QuotaUse): boolean {
  if (!fits(quota, quotaUse(reader, account), more)) return false;
  return quota.domain === undefined || fits(quota.domain, domainQuotaUse(reader, quota.domain.name), more);
}

/** What the account holds before; undefined: there is no room for more. */
export async function roomIn(
  tx: Transaction,
  account: AccountId,
  quota: Quota,
  more: QuotaUse,
): Promise<QuotaUse | undefined> {
  const use = await quotaUseIn(tx, account);
  if (!fits(quota, use, more)) return undefined;
  const { domain } = quota;
  const hasDomainRoom = domain === undefined || fits(domain, useOfRow(await tx.get(USE_OF_DOMAIN, domain.name)), more);
  return hasDomainRoom ? use : undefined;
}

/** Of the own limit, in percent of what is nearest to it. */
export function percentOf({ octets, messages }: QuotaLimit, use: QuotaUse): number {
  const of = (part: number, limit: number | undefined): number =>
    limit === undefined ? 0 : (100 * part) / Math.max(1, limit);
  return Math.max(of(use.octets, octets), of(use.messages, messages));
}

/** Who has fallen below it may be warned again. */
const AGAIN_BELOW_PERCENT = 80;

/** Notes that the user of an account is to be warned, where a delivery has brought it so near to its limit; once. */
export async function noteNearness(
  tx: Transaction,
  account: AccountId,
  { before, now, warnPercent }: { readonly before: number; readonly now: number; readonly warnPercent: number },
): Promise<void> {
  const isKnown = (await tx.get('SELECT 1 FROM quota_warned WHERE account = ?', account)) !== undefined;
  if (isKnown && before >= AGAIN_BELOW_PERCENT) return;
  if (now < warnPercent) {
    if (isKnown) await tx.run('DELETE FROM quota_warned WHERE account = ?', account);
    return;
  }
  await tx.run('INSERT OR REPLACE INTO quota_warned (account, due) VALUES (?, 1)', account);
  tx.afterCommit({ kind: 'queue' });
}

/** Accounts whose users are to be warned, each with the entry that it belongs to; at most `limit`. */
export function accountsToWarn(reader: Reader, limit: number): { account: AccountId; uuid: string }[] {
  return reader
    .all(
      `SELECT w.account AS account, a.uuid AS uuid FROM quota_warned AS w JOIN account AS a ON a.id = w.account
       WHERE w.due = 1 ORDER BY w.account LIMIT +?`,
      limit,
    )
    .map(({ account, uuid }) => ({ account: idOf<AccountId>(account), uuid: String(uuid) }));
}

/** Whether it still was to be done. */
export async function endWarning(tx: Transaction, account: AccountId): Promise<boolean> {
  const ended = await tx.arrays(
    'UPDATE quota_warned SET due = 0 WHERE account = ? AND due = 1 RETURNING account',
    account,
  );
  return ended.length > 0;
}

/** Whether any domain is counted, or was. */
export function isAnyQuotaRoot(reader: Reader): boolean {
  return reader.get('SELECT 1 FROM quota_root LIMIT 1') !== undefined;
}

/** Throws `over-quota`. */
export async function checkRoom(
  tx: Transaction,
  account: AccountId,
  quota: Quota | undefined,
  more: QuotaUse,
): Promise<void> {
  if (quota === undefined || (await roomIn(tx, account, quota, more)) !== undefined) return;
  throw new Failure('over-quota', 'The mailbox is full');
}

/** As the options of a target have it. */
export function encodeQuota(quota: Quota): JsonObject {
  return quota as unknown as JsonObject;
}

export function decodeQuota(json: Json | undefined): Quota | undefined {
  return json === undefined ? undefined : (json as unknown as Quota);
}

export interface AssignArguments {
  readonly accounts: readonly AccountId[];
  /** The domain that they count for; null: for none. */
  readonly domain: string | null;
}

/** All mailboxes of these accounts count for the domain from now on; the counters follow in this transaction (tables.ts). */
export const assignQuotaRoot = operation('store.assignQuotaRoot', async (tx, { accounts, domain }: AssignArguments) => {
  const root = domain === null ? null : await rootOf(tx, domain);
  for (const account of accounts)
    await tx.run('UPDATE mailbox SET quota_root = ? WHERE account = ? AND quota_root IS NOT ?', root, account, root);
});

async function rootOf(tx: Transaction, domain: string): Promise<number> {
  const row = await tx.get(
    'INSERT INTO quota_root (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id',
    domain,
  );
  return Number(row!['id']);
}
