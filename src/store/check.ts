// The checker of the message store: walks every row and names each state that is not legal. See docs/states.md.
//
// In      a reader, the segment files; with `bytes` also every record in them
// Out     problems one by one; none means that the store is as it should be
// Order   a page at a time, so that a running server goes on; what seems wrong over several pages is looked at once more,
//         in one state of the database, before it is named
// Limits  PAGE rows a query; a mailbox, or a domain with a limit, is one query; COUNTED messages have their references
//         counted at a time
// Never   changes anything

import type { AccountId } from '../base/ids.ts';
import type { Reader, Row } from '../database/operation.ts';
import { INBOX } from './accounts.ts';
import { type BlobCheckOptions, checkBlobs } from './check-blobs.ts';
import { messageName, nextTurn, PAGE, pages, type StoreProblem } from './check-pages.ts';

export interface StoreCheckOptions extends BlobCheckOptions {
  /** References of other units to messages with `from` <= id <= `to`. */
  readonly otherReferences: (reader: Reader, from: number, to: number) => ReadonlyMap<number, number>;
  /** Only what is this account's; references are counted, and domains and counters looked at, only without it. */
  readonly account?: AccountId | undefined;
}

/** Accounts from and to. */
type Span = readonly [from: number, to: number];

/** Messages whose references are counted in one walk over all mailboxes. */
const COUNTED = 200_000;

export async function* checkStore(options: StoreCheckOptions): AsyncGenerator<StoreProblem> {
  const { reader, account } = options;
  const span: Span = account === undefined ? [1, Number.MAX_SAFE_INTEGER] : [account, account];
  if (account === undefined) yield* checkCounters(reader);
  yield* checkAccounts(reader, span);
  yield* checkMailboxes(reader, span);
  if (account === undefined) yield* checkQuotaRoots(reader);
  const messages = new Set<number>();
  yield* checkReferences(reader, span, account === undefined ? undefined : messages);
  yield* checkOrphans(reader, span);
  if (account === undefined) yield* checkRefCounts(options);
  yield* checkBlobs(account === undefined ? options : { ...options, messages: [...messages].sort((a, b) => a - b) });
}

/** Those of these messages that exist: for other units' checkers. */
export function existingMessages(reader: Reader, ids: readonly number[]): ReadonlySet<number> {
  const rows = reader.arrays(
    'SELECT id FROM message WHERE id IN (SELECT value FROM json_each(?))',
    JSON.stringify(ids),
  );
  return new Set(rows.map(([id]) => Number(id)));
}

function mailboxName(account: unknown, mailbox: unknown): string {
  return `account ${account} mailbox ${mailbox}`;
}

function* checkCounters(reader: Reader): Generator<StoreProblem> {
  const row = reader.get(
    `SELECT (SELECT value FROM counter WHERE name = 'uidvalidity') AS uidvalidity,
       (SELECT value FROM counter WHERE name = 'modseq') AS modseq,
       (SELECT max(uidvalidity) FROM mailbox) AS uidvalidity_used, (SELECT max(modseq) FROM mailbox) AS modseq_used`,
  );
  for (const name of ['uidvalidity', 'modseq']) {
    const counter = Number(row?.[name]);
    const used = Number(row?.[`${name}_used`]);
    if (used > counter)
      yield {
        ...{ problem: 'counter behind', where: `counter ${name}`, detail: `${counter}, but ${used} is in use` },
        at: { counter: name },
      };
  }
}

async function* checkAccounts(reader: Reader, [from, to]: Span): AsyncGenerator<StoreProblem> {
  const read = (after: number, limit: number): Row[] =>
    reader.all(
      `SELECT a.id, a.next_mailbox, (SELECT max(id) FROM mailbox m WHERE m.account = a.id) AS highest,
         (SELECT selectable FROM mailbox m WHERE m.account = a.id AND m.id = ${INBOX} AND m.name = 'INBOX') AS inbox
       FROM account a WHERE a.id > ? AND a.id <= ? ORDER BY a.id LIMIT +?`,
      Math.max(after, from - 1),
      to,
      limit,
    );
  for await (const rows of pages(read, (row) => Number(row['id'])))
    for (const { id, next_mailbox: next, highest, inbox } of rows) {
      const where = `account ${id}`;
      const at = { account: Number(id) };
      if (inbox !== 1) yield { problem: 'no INBOX', where, detail: 'mailbox 1 is missing or not INBOX', at };
      if (Number(highest) >= Number(next))
        yield { problem: 'next mailbox', where, detail: `${next}, but ${highest} is in use`, at };
    }
}

/** What a mailbox's row says, and what its messages' rows add up to: one state. */
export const MAILBOX_CHECK = `SELECT b.*, count(r.uid) AS n, coalesce(sum(r.flags & 1 = 0), 0) AS without_seen,
    coalesce(sum(r.size), 0) AS size, max(r.uid) AS highest, max(r.modseq) AS newest,
    EXISTS (SELECT 1 FROM account a WHERE a.id = b.account) AS owned,
    b.quota_root IS (SELECT quota_root FROM mailbox i WHERE i.account = b.account AND i.id = ${INBOX}) AS as_inbox
  FROM mailbox b LEFT JOIN mailbox_message r ON r.account = b.account AND r.mailbox = b.id
  WHERE b.account = ? AND b.id = ? GROUP BY b.account, b.id`;

async function* checkMailboxes(reader: Reader, [from, to]: Span): AsyncGenerator<StoreProblem> {
  for (let [account, mailbox] = [from, 0]; ; ) {
    const keys = reader.arrays(
      'SELECT account, id FROM mailbox WHERE (account, id) > (?, ?) AND account <= ? ORDER BY account, id LIMIT +?',
      account,
      mailbox,
      to,
      PAGE,
    );
    for (const key of keys) {
      [account, mailbox] = [Number(key[0]), Number(key[1])];
      const row = reader.get(MAILBOX_CHECK, account, mailbox);
      // Deleted meanwhile.
      if (row !== undefined) yield* mailboxProblems(row);
      await nextTurn();
    }
    if (keys.length < PAGE) return;
  }
}

function* mailboxProblems(row: Row): Generator<StoreProblem> {
  const where = mailboxName(row['account'], row['id']);
  const kept = `${row['messages']} messages, ${row['unseen']} unseen, ${row['bytes']} bytes`;
  const real = `${row['n']} messages, ${row['without_seen']} unseen, ${row['size']} bytes`;
  const at = { account: Number(row['account']), mailbox: Number(row['id']) };
  if (row['owned'] !== 1) yield { problem: 'no account', where, detail: 'its account does not exist', at };
  if (kept !== real) yield { problem: 'counters differ', where, detail: `it says ${kept}; it has ${real}`, at };
  if (Number(row['highest']) >= Number(row['uidnext']))
    yield { problem: 'uidnext', where, detail: `${row['uidnext']}, but UID ${row['highest']} is in use`, at };
  if (Number(row['newest']) > Number(row['modseq']))
    yield { problem: 'mailbox modseq', where, detail: `${row['modseq']}, but a message has ${row['newest']}`, at };
  if (row['as_inbox'] !== 1)
    yield { problem: 'quota elsewhere', where, detail: 'it counts for another domain than its INBOX', at };
}

/** Of the next domain with a counter: what it says, and what its mailboxes add up to. */
export const QUOTA_CHECK = `SELECT q.*, coalesce(sum(b.bytes), 0) AS size, coalesce(sum(b.messages), 0) AS n
  FROM (SELECT * FROM quota_root WHERE id > ? ORDER BY id LIMIT 1) AS q LEFT JOIN mailbox b ON b.quota_root = q.id
  GROUP BY q.id`;

/** What a domain's accounts hold together is the sum of their mailboxes, in the state that one query sees. */
async function* checkQuotaRoots(reader: Reader): AsyncGenerator<StoreProblem> {
  const missing = reader.get(
    'SELECT quota_root FROM mailbox WHERE quota_root IS NOT NULL AND quota_root NOT IN (SELECT id FROM quota_root) LIMIT 1',
  );
  if (missing !== undefined)
    yield {
      ...{ problem: 'no quota counter', where: `quota ${missing['quota_root']}`, detail: 'mailboxes count for it' },
      at: { root: Number(missing['quota_root']) },
    };
  for (let id = 0; ; ) {
    const row = reader.get(QUOTA_CHECK, id);
    if (row === undefined) return;
    id = Number(row['id']);
    const kept = `${row['octets']} bytes, ${row['messages']} messages`;
    const real = `${row['size']} bytes, ${row['n']} messages`;
    if (kept !== real)
      yield {
        ...{ problem: 'quota differs', where: `domain ${row['name']}`, detail: `it says ${kept}; it has ${real}` },
        at: { root: id },
      };
    await nextTurn();
  }
}

/** Each reference has its message and its mailbox, or one that is being taken away. */
async function* checkReferences(
  reader: Reader,
  [from, to]: Span,
  messages: Set<number> | undefined,
): AsyncGenerator<StoreProblem> {
  for (let [account, mailbox, uid] = [from, 0, 0]; ; ) {
    const rows = reader.all(
      `SELECT r.account, r.mailbox, r.uid, r.message, r.size, m.length,
         EXISTS (SELECT 1 FROM mailbox b WHERE b.account = r.account AND b.id = r.mailbox)
         OR EXISTS (SELECT 1 FROM doomed_mailbox d WHERE d.account = r.account AND d.mailbox = r.mailbox) AS has_mailbox
       FROM mailbox_message r LEFT JOIN message m ON m.id = r.message
       WHERE (r.account, r.mailbox, r.uid) > (?, ?, ?) AND r.account <= ? ORDER BY r.account, r.mailbox, r.uid LIMIT +?`,
      account,
      mailbox,
      uid,
      to,
      PAGE,
    );
    for (const row of rows) {
      [account, mailbox, uid] = [Number(row['account']), Number(row['mailbox']), Number(row['uid'])];
      const where = `${mailboxName(account, mailbox)} UID ${uid}`;
      const { length, size } = row;
      const at = { account, mailbox, uid, message: Number(row['message']) };
      messages?.add(at.message);
      if (length === null)
        yield { problem: 'reference to no message', where, detail: `${messageName(at.message)} does not exist`, at };
      else if (length !== size)
        yield { problem: 'size differs', where, detail: `it says ${size} bytes, the message has ${length}`, at };
      if (row['has_mailbox'] !== 1)
        yield { problem: 'reference to no mailbox', where, detail: 'its mailbox does not exist', at };
    }
    if (rows.length < PAGE) return;
    await nextTurn();
  }
}

const OF_ACCOUNTS = ['subscription', 'quota_warned', 'server_metadata'] as const;
/** And the column that says whose it is. */
const OF_MAILBOXES = {
  keyword: 'account',
  vanished: 'account',
  reader_mailbox: 'owner',
  reader_status: 'owner',
  metadata: 'owner',
} as const;

/** Rows of accounts and mailboxes that do not exist: one problem a table and an account, or a mailbox. */
async function* checkOrphans(reader: Reader, [from, to]: Span): AsyncGenerator<StoreProblem> {
  for (const table of OF_ACCOUNTS)
    for (let account = from - 1; ; ) {
      const next = `SELECT account, ${HAS_ACCOUNT} FROM ${table} AS t WHERE account > ? AND account <= ? ORDER BY account LIMIT 1`;
      const [row] = reader.arrays(next, account, to);
      if (row === undefined) break;
      account = Number(row[0]);
      const where = `${table} of account ${account}`;
      if (row[1] !== 1)
        yield { problem: 'row of nothing', where, detail: 'its account does not exist', at: { table, account } };
      await nextTurn();
    }
  for (const [table, of] of Object.entries(OF_MAILBOXES))
    for (let [account, mailbox] = [from, 0]; ; ) {
      const next = `SELECT ${of}, mailbox, ${hasMailbox(of)} FROM ${table} AS t
        WHERE (${of}, mailbox) > (?, ?) AND ${of} <= ? ORDER BY ${of}, mailbox LIMIT 1`;
      const [row] = reader.arrays(next, account, mailbox, to);
      if (row === undefined) break;
      [account, mailbox] = [Number(row[0]), Number(row[1])];
      const where = `${table} of ${mailboxName(account, mailbox)}`;
      const at = { table, account, mailbox };
      if (row[2] !== 1) yield { problem: 'row of nothing', where, detail: 'its mailbox does not exist', at };
      await nextTurn();
    }
}

/** Of a row `t`. */
export const HAS_ACCOUNT = 'EXISTS (SELECT 1 FROM account a WHERE a.id = t.account)';
/** The same; one that is being taken away has its rows for a while. */
export function hasMailbox(of: 'account' | 'owner' = 'account'): string {
  return `(EXISTS (SELECT 1 FROM mailbox b WHERE b.account = t.${of} AND b.id = t.mailbox)
    OR EXISTS (SELECT 1 FROM doomed_mailbox d WHERE d.account = t.${of} AND d.mailbox = t.mailbox))`;
}

async function* checkRefCounts(options: StoreCheckOptions): AsyncGenerator<StoreProblem> {
  const { reader } = options;
  for (let from = 0; ; ) {
    const to = lastOf(reader, from);
    if (to === undefined) return;
    const found = await countReferences(options, from, to);
    const read = (after: number, limit: number): Row[] =>
      reader.all('SELECT id, refs FROM message WHERE id > ? AND id <= ? ORDER BY id LIMIT +?', after, to, limit);
    for await (const rows of pages(
      (after, limit) => read(Math.max(after, from), limit),
      (row) => Number(row['id']),
    ))
      for (const row of rows)
        if (Number(row['refs']) !== (found.get(Number(row['id'])) ?? 0)) yield* refsProblem(options, Number(row['id']));
    from = to;
  }
}

/** The last of the next COUNTED messages above `from`. */
function lastOf(reader: Reader, from: number): number | undefined {
  const row = reader.get(
    'SELECT max(id) AS last FROM (SELECT id FROM message WHERE id > ? ORDER BY id LIMIT +?)',
    from,
    COUNTED,
  );
  return typeof row?.['last'] === 'number' ? row['last'] : undefined;
}

/** References to messages with `from` < id <= `to`, counted page by page: others may change them meanwhile. */
async function countReferences(
  { reader, otherReferences }: StoreCheckOptions,
  from: number,
  to: number,
): Promise<Map<number, number>> {
  const counts = new Map(otherReferences(reader, from + 1, to));
  for (let key: readonly [number, number, number] = [0, 0, 0]; ; ) {
    const rows = reader.arrays(
      `SELECT account, mailbox, uid, message FROM mailbox_message
       WHERE (account, mailbox, uid) > (?, ?, ?) ORDER BY account, mailbox, uid LIMIT +?`,
      ...key,
      PAGE,
    );
    for (const row of rows) {
      const message = Number(row[3]);
      if (message > from && message <= to) counts.set(message, (counts.get(message) ?? 0) + 1);
    }
    if (rows.length < PAGE) return counts;
    const last = rows[rows.length - 1]!;
    key = [Number(last[0]), Number(last[1]), Number(last[2])];
    await nextTurn();
  }
}

/** Looked at in one state: what the pages said may have been two. */
function refsProblem(options: StoreCheckOptions, id: number): StoreProblem[] {
  const refs = countRefs(options, id);
  if (refs === undefined || refs.kept === refs.mailboxes + refs.others) return [];
  const detail = `it says ${refs.kept}; ${refs.mailboxes} in mailboxes and ${refs.others} elsewhere refer to it`;
  return [{ problem: 'refs differ', where: messageName(id), detail, at: { message: id } }];
}

/** What a message's row says, and who refers to it, in one state; undefined where there is no such row. */
export function countRefs(
  { reader, otherReferences }: Pick<StoreCheckOptions, 'reader' | 'otherReferences'>,
  id: number,
): { readonly kept: number; readonly mailboxes: number; readonly others: number } | undefined {
  return reader.snapshot(() => {
    const row = reader.get('SELECT refs FROM message WHERE id = ?', id);
    if (row === undefined) return undefined;
    const mailboxes = Number(reader.get('SELECT count(*) AS n FROM mailbox_message WHERE message = ?', id)?.['n']);
    return { kept: Number(row['refs']), mailboxes, others: otherReferences(reader, id, id).get(id) ?? 0 };
  });
}
