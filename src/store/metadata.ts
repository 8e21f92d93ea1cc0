// Metadata: what clients have noted on mailboxes and on the server, for themselves or for all who read the mailbox.
//
// In      a mailbox or an account; names of entries in lower case, beginning with /private or /shared; values as octets
// Out     entries with their values; changes, all of a command or none
// Common  /shared/vendor/waypost/common-flags with the value `true`: all readers have the folder's own flags (mailbox-key.ts)
// Limits  VALUE_MAX octets; of a mailbox ENTRIES_MAX that one reader has, shared ones included; ENTRIES_OF_ACCOUNT_MAX of an account: shared ones
//         of its mailboxes, private ones wherever they are
// Goes    with the mailbox (tables.ts), with the reader's entry where the mailbox is another's
// RFC 5464 §3

import { Failure } from '../base/failure.ts';
import type { AccountId } from '../base/ids.ts';
import { COPY_MESSAGES_MAX, IMAP_LITERAL_BYTES } from '../base/limits.ts';
import { operation, type Reader, type Transaction, type Value } from '../database/operation.ts';
import { findAccount, nextModseq } from './accounts.ts';
import { checkRightsRevision, moveRights } from './acl.ts';
import type { MailboxAccess, MailboxKey } from './mailbox-key.ts';

/** Octets of a value. */
export const METADATA_VALUE_MAX = IMAP_LITERAL_BYTES;
const ENTRIES_MAX = 100;
const ENTRIES_OF_ACCOUNT_MAX = 1000;

/** What changes behaviour stands below it, and takes the right `a`. */
export const BEHAVIOUR = '/shared/vendor/waypost/';
const COMMON_FLAGS = `${BEHAVIOUR}common-flags`;

/** In the column `reader`: everybody's. */
const SHARED = 0;

export interface Noted {
  /** In lower case. */
  readonly entry: string;
  /** Octets as latin1; undefined: there is none, or it goes. */
  readonly value: string | undefined;
}

/** How far below an entry others are given along. */
export type Depth = 0 | 1 | 'infinity';

/** Whether all readers of a mailbox have the folder's own flags. */
export function hasCommonFlags(reader: Reader, { owner, mailbox }: MailboxKey): boolean {
  const sql = `SELECT 1 FROM metadata WHERE owner = ? AND mailbox = ? AND reader = ${SHARED} AND entry = '${COMMON_FLAGS}'`;
  return reader.arrays(sql, owner, mailbox).length > 0;
}

/** Entries of a mailbox as the reader has them, by name; an entry that is named itself and is not there has no value. */
export function readMetadata(
  reader: Reader,
  { owner, mailbox, reader: account }: Pick<MailboxAccess, 'owner' | 'mailbox' | 'reader'>,
  entries: readonly string[],
  depth: Depth,
): Noted[] {
  return chosen(entries, depth, (entry, before) =>
    reader.arrays(
      `SELECT entry, value FROM metadata WHERE owner = ? AND mailbox = ? AND reader = ? AND entry >= ? AND entry ${before === undefined ? '= ?' : '< ?'}
       ORDER BY entry`,
      owner,
      mailbox,
      isShared(entry) ? SHARED : account,
      entry,
      before ?? entry,
    ),
  );
}

/** The same of the server: private ones of an account. */
export function readServerMetadata(
  reader: Reader,
  account: AccountId,
  entries: readonly string[],
  depth: Depth,
): Noted[] {
  return chosen(entries, depth, (entry, before) =>
    reader.arrays(
      `SELECT entry, value FROM server_metadata WHERE account = ? AND entry >= ? AND entry ${before === undefined ? '= ?' : '< ?'} ORDER BY entry`,
      account,
      entry,
      before ?? entry,
    ),
  );
}

/** `find` gives rows from an entry to before another, or of the first alone. */
function chosen(
  entries: readonly string[],
  depth: Depth,
  find: (entry: string, before: string | undefined) => Value[][],
): Noted[] {
  const found = new Map<string, Noted>();
  const take = (row: readonly Value[]): void => {
    const entry = String(row[0]);
    found.set(entry, { entry, value: Buffer.from(row[1] as Uint8Array).toString('latin1') });
  };
  for (const entry of entries) {
    const [own] = find(entry, undefined);
    if (own !== undefined) take(own);
    else if (depth === 0) found.set(entry, { entry, value: undefined });
    if (depth === 0) continue;
    // `0` is the character behind `/`.
    for (const row of find(`${entry}/`, `${entry}0`))
      if (depth === 'infinity' || !String(row[0]).includes('/', entry.length + 1)) take(row);
  }
  return [...found.values()];
}

export function isShared(entry: string): boolean {
  return entry === '/shared' || entry.startsWith('/shared/');
}

export interface SetMetadataArguments extends Pick<MailboxAccess, 'owner' | 'mailbox' | 'reader'> {
  readonly values: readonly Noted[];
  /** At which revision the reader had the right to. */
  readonly rightsAt?: number;
}

/** Throws `too-many` beyond what a mailbox or an account may have, `unsupported` for what would change no behaviour. */
export const setMetadata = operation('store.setMetadata', async (tx, args: SetMetadataArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const { owner, mailbox, reader } = args;
  const found = await tx.get('SELECT 1 AS found FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (found === undefined) throw new Failure('not-found', 'No such mailbox');
  for (const { entry, value } of args.values) {
    const key = [owner, mailbox, isShared(entry) ? SHARED : reader, entry];
    let kept = value;
    if (entry.startsWith(BEHAVIOUR)) kept = (await changeBehaviour(tx, args, { entry, value })) ? 'true' : undefined;
    if (kept === undefined)
      await tx.run('DELETE FROM metadata WHERE owner = ? AND mailbox = ? AND reader = ? AND entry = ?', ...key);
    else
      await tx.run(
        'INSERT OR REPLACE INTO metadata (owner, mailbox, reader, entry, value) VALUES (?, ?, ?, ?, ?)',
        ...key,
        Buffer.from(kept, 'latin1'),
      );
  }
  if (args.values.every(({ value }) => value === undefined)) return;
  const row = await tx.get(
    `SELECT count(*) AS n FROM metadata WHERE owner = ? AND mailbox = ? AND reader IN (${SHARED}, ?)`,
    owner,
    mailbox,
    reader,
  );
  if (Number(row?.['n']) > ENTRIES_MAX) throw new Failure('too-many', `A mailbox can have ${ENTRIES_MAX} entries`);
  await checkAccount(tx, reader);
  if (owner !== reader) await checkAccount(tx, owner);
});

export interface SetServerMetadataArguments {
  readonly account: AccountId;
  readonly values: readonly Noted[];
}

/** Private entries of the server. */
export const setServerMetadata = operation(
  'store.setServerMetadata',
  async (tx, { account, values }: SetServerMetadataArguments) => {
    for (const { entry, value } of values)
      if (value === undefined)
        await tx.run('DELETE FROM server_metadata WHERE account = ? AND entry = ?', account, entry);
      else
        await tx.run(
          'INSERT OR REPLACE INTO server_metadata (account, entry, value) VALUES (?, ?, ?)',
          account,
          entry,
          Buffer.from(value, 'latin1'),
        );
    if (values.some(({ value }) => value !== undefined)) await checkAccount(tx, account);
  },
);

async function checkAccount(tx: Transaction, account: AccountId): Promise<void> {
  const row = await tx.get(
    `SELECT (SELECT count(*) FROM metadata WHERE reader = ${SHARED} AND owner = ?1)
       + (SELECT count(*) FROM metadata WHERE reader = ?1) + (SELECT count(*) FROM server_metadata WHERE account = ?1) AS n`,
    account,
  );
  if (Number(row?.['n']) > ENTRIES_OF_ACCOUNT_MAX)
    throw new Failure('too-many', `An account can have ${ENTRIES_OF_ACCOUNT_MAX} entries`);
}

/** Gives whether it is on. */
async function changeBehaviour(tx: Transaction, key: MailboxKey, { entry, value }: Noted): Promise<boolean> {
  if (entry !== COMMON_FLAGS) throw new Failure('unsupported', `There is no ${entry}`);
  if (value !== undefined && value !== 'true' && value !== 'false')
    throw new Failure('unsupported', `${entry} is "true" or "false"`);
  const isOn = value === 'true';
  const { owner, mailbox } = key;
  const [before] = await tx.arrays(
    `SELECT 1 FROM metadata WHERE owner = ? AND mailbox = ? AND reader = ${SHARED} AND entry = ?`,
    owner,
    mailbox,
    entry,
  );
  if ((before !== undefined) !== isOn) await touchAll(tx, key);
  return isOn;
}

/** Each reader may have other flags from now on: all messages have changed, and whoever has a state in hand asks anew. */
async function touchAll(tx: Transaction, { owner, mailbox }: MailboxKey): Promise<void> {
  const row = await tx.get('SELECT messages FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (Number(row?.['messages']) > COPY_MESSAGES_MAX)
    throw new Failure(
      'unsupported',
      `The mailbox has more than ${COPY_MESSAGES_MAX} messages: their flags cannot change hands at once`,
    );
  const modseq = await nextModseq(tx);
  await tx.run(
    'UPDATE mailbox_message SET modseq = ?, touched = 1 WHERE account = ? AND mailbox = ?',
    modseq,
    owner,
    mailbox,
  );
  await tx.run('UPDATE mailbox SET modseq = ? WHERE account = ? AND id = ?', modseq, owner, mailbox);
  moveRights(tx);
  tx.afterCommit({ kind: 'mailbox', account: owner, mailbox, modseq });
}

/** The entry goes: with it its private notes on mailboxes of others. */
export async function dropReaderMetadata(tx: Transaction, entry: Parameters<typeof findAccount>[1]): Promise<void> {
  const account = await findAccount(tx, entry);
  if (account !== undefined) await tx.run('DELETE FROM metadata WHERE reader = ?1 AND owner <> ?1', account);
}
