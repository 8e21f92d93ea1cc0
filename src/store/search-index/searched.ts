// Accounts that have searched the bytes of their mail, and how far the indexes of these are.
//
// States  no row -> a row by the first search -> no row FORGOTTEN_MS after the last one, and then no file
// `behind` and `since` are of the last look of the upkeep thread: how many messages are not in the index, and since when the
// oldest of them has waited for it.

import { DAY_MS } from '../../base/duration.ts';
import { type AccountId, idOf, type MessageId } from '../../base/ids.ts';
import { operation, type Reader } from '../../database/operation.ts';

const FORGOTTEN_MS = 90 * DAY_MS;

export interface SearchedAccount {
  readonly account: AccountId;
  readonly isDamaged: boolean;
  /** Epoch ms; undefined: nothing was behind at the last look. */
  readonly since: number | undefined;
}

/** Written down once a day. */
export function isSearchNoted(reader: Reader, account: AccountId, now: number): boolean {
  const [row] = reader.arrays('SELECT at FROM searched WHERE account = ?', account);
  return row !== undefined && Number(row[0]) > now - DAY_MS;
}

export const noteSearch = operation(
  'store.noteSearch',
  async (tx, { account, at }: { readonly account: AccountId; readonly at: number }) => {
    await tx.run(
      `INSERT INTO searched (account, at, damaged, behind, since)
       VALUES (?, ?, 0, (SELECT coalesce(sum(messages), 0) FROM mailbox WHERE account = ?), ?)
       ON CONFLICT (account) DO UPDATE SET at = excluded.at`,
      account,
      at,
      account,
      at,
    );
  },
);

/** A reader has found the file damaged; `isMended` once it has been made anew. */
export const noteIndexDamage = operation(
  'store.noteIndexDamage',
  async (tx, { account, isMended }: { readonly account: AccountId; readonly isMended: boolean }) => {
    await tx.run('UPDATE searched SET damaged = ? WHERE account = ?', isMended ? 0 : 1, account);
  },
);

export interface IndexProgress {
  readonly account: AccountId;
  readonly behind: number;
  /** Epoch ms; null: nothing is behind. */
  readonly since: number | null;
}

export const noteIndexProgress = operation(
  'store.noteIndexProgress',
  async (tx, { account, behind, since }: IndexProgress) => {
    await tx.run('UPDATE searched SET behind = ?, since = ? WHERE account = ?', behind, since, account);
  },
);

/** Those whose last search is too long ago, and these; gives how many. */
export const forgetSearched = operation(
  'store.forgetSearched',
  async (tx, { now, accounts }: { readonly now: number; readonly accounts: readonly AccountId[] }) => {
    let gone = await tx.run('DELETE FROM searched WHERE at < ?', now - FORGOTTEN_MS);
    for (const account of accounts) gone += await tx.run('DELETE FROM searched WHERE account = ?', account);
    return gone;
  },
);

/** Before a message is put into an index: no later one, after whatever start and by whatever clock, gets an id up to this. */
export const raiseIndexedId = operation('store.raiseIndexedId', async (tx, { id }: { readonly id: MessageId }) => {
  await tx.run(
    `INSERT INTO counter (name, value) VALUES ('indexed', ?)
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,
    id,
  );
});

/** The highest id that any index has ever held. */
export function highestIndexedId(reader: Reader): number {
  return Number(reader.get("SELECT value FROM counter WHERE name = 'indexed'")?.['value'] ?? 0);
}

/** One page in the order of accounts. */
export function searchedAccounts(reader: Reader, after: AccountId, limit: number): SearchedAccount[] {
  return reader
    .arrays('SELECT account, damaged, since FROM searched WHERE account > ? ORDER BY account LIMIT +?', after, limit)
    .map(([account, damaged, since]) => ({
      account: idOf(account),
      isDamaged: damaged === 1,
      since: since === null ? undefined : Number(since),
    }));
}

export interface IndexFigures {
  /** That have an index, or are to have one. */
  readonly accounts: number;
  readonly messagesBehind: number;
  /** For how long the oldest of these has waited; 0: there is none. */
  readonly oldestMs: number;
}

export function indexFigures(reader: Reader, now: number): IndexFigures {
  const [row] = reader.arrays('SELECT count(*), coalesce(sum(behind), 0), min(since) FROM searched');
  const [accounts, behind, since] = row!;
  const oldestMs = since === null ? 0 : Math.max(0, now - Number(since));
  return { accounts: Number(accounts), messagesBehind: Number(behind), oldestMs };
}

/** For the writer. */
export const searchIndexOperations = [noteSearch, noteIndexDamage, noteIndexProgress, forgetSearched, raiseIndexedId];
