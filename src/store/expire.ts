// Expiry: messages that a rule of their account or domain takes away, folder by folder, as an expunge.
//
// In      an account, its rules (expiry-rules.ts), a moment
// Out     for each folder what has gone; sessions that have it open are told, as of any expunge
// Order   folders by name, messages from the oldest: UIDs ascend with the dates at which messages were saved, so the walk ends at the first
//         page without a message that is old enough. Where the clock was wrong for longer than that, messages wait until it is their time
// Limits  PAGE_ROWS read at a time, SLICE messages an operation; the operation looks at each once more, and at the count
// Never   takes what is \Flagged

import { type AccountId, idOf, type Uid } from '../base/ids.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { type AccountExpiry, type ActingRule, isOverAge, keptCount, latestSaved, rulesFor } from './expiry-rules.ts';
import { removeMessages, type Victim } from './expunge.ts';
import { FLAGGED } from './flags.ts';
import type { MailboxKey } from './mailbox-key.ts';
import { listMailboxes, type Mailbox } from './mailboxes.ts';

const PAGE_ROWS = 1000;
const SLICE = 200;

export interface ExpiryParts {
  readonly reader: Reader;
  /** Absent: what would go is counted, and stays. */
  readonly writer?: Writer | undefined;
  readonly now: number;
}

interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

export interface ExpiredMail extends Amount {
  /** Its name. */
  readonly mailbox: string;
}

const NOTHING: Amount = { messages: 0, bytes: 0 };

/** For each folder that has lost something what it was; undefined between, where others may have their turn. */
export async function* expireAccount(
  parts: ExpiryParts,
  owner: AccountId,
  expiry: AccountExpiry,
): AsyncGenerator<ExpiredMail | undefined> {
  for (const mailbox of listMailboxes(parts.reader, owner)) {
    const rules = mailbox.messages === 0 ? [] : rulesFor(mailbox.name, expiry);
    if (rules.length === 0) continue;
    let gone = NOTHING;
    for await (const slice of expireMailbox(parts, mailbox, rules)) {
      gone = { messages: gone.messages + slice.messages, bytes: gone.bytes + slice.bytes };
      yield undefined;
    }
    if (gone.messages > 0) yield { mailbox: mailbox.name, ...gone };
  }
}

async function* expireMailbox(
  { reader, writer, now }: ExpiryParts,
  { owner, id, messages }: Mailbox,
  rules: readonly ActingRule[],
): AsyncGenerator<Amount> {
  const kept = keptCount(rules);
  const key = { owner, mailbox: id };
  const firstKept = kept === undefined || messages <= kept ? 0 : nthNewest(reader, key, kept);
  const latest = latestSaved(rules, now);
  for (let after = 0; ; ) {
    const rows = rowsAfter(reader, key, after);
    const victims = rows.filter((row) => isOverAge(row, rules, now) || isOverCount(row, firstKept));
    for (let at = 0; at < victims.length; at += SLICE) {
      const slice = victims.slice(at, at + SLICE);
      const uids = slice.map(({ uid }) => uid);
      yield writer === undefined
        ? amountOf(slice)
        : await writer.execute(expire, { ...key, uids, rules, now, firstKept });
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_ROWS) return;
    if (last.uid >= firstKept && rows.every(({ saved }) => saved > latest)) return;
    after = last.uid;
    yield NOTHING;
  }
}

interface ExpirableRow extends Victim {
  readonly saved: number;
}

const ROWS = 'SELECT uid, message, flags, size, saved FROM mailbox_message WHERE account = ? AND mailbox = ?';

function rowsAfter(reader: Reader, { owner, mailbox }: MailboxKey, after: number): ExpirableRow[] {
  return reader.arrays(`${ROWS} AND uid > ? ORDER BY uid LIMIT +?`, owner, mailbox, after, PAGE_ROWS).map(toRow);
}

function toRow([uid, message, flags, size, saved]: readonly unknown[]): ExpirableRow {
  return {
    ...{ uid: idOf(uid), message: idOf(message) },
    ...{ flags: Number(flags), size: Number(size), saved: Number(saved) },
  };
}

/** The UID of the last message that is to stay, 0 where there are not so many. */
function nthNewest(reader: Reader, { owner, mailbox }: MailboxKey, count: number): number {
  const sql = 'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? ORDER BY uid DESC LIMIT 1 OFFSET +?';
  return Number(reader.arrays(sql, owner, mailbox, count - 1)[0]?.[0] ?? 0);
}

function isOverCount({ uid, flags }: ExpirableRow, firstKept: number): boolean {
  return uid < firstKept && (flags & FLAGGED) === 0;
}

function amountOf(victims: readonly Victim[]): Amount {
  return { messages: victims.length, bytes: victims.reduce((sum, { size }) => sum + size, 0) };
}

interface ExpireArguments extends MailboxKey {
  /** At most SLICE, ascending. */
  readonly uids: readonly Uid[];
  readonly rules: readonly ActingRule[];
  readonly now: number;
  /** Below this UID messages are more than are to stay. */
  readonly firstKept: number;
}

/** Those of these messages that the rules still take. Flags and the folder may be others since they were chosen. */
export const expire = operation('store.expire', async (tx, args: ExpireArguments): Promise<Amount> => {
  const { owner, mailbox, uids, rules, now, firstKept } = args;
  const box = await tx.get('SELECT messages FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (box === undefined) return NOTHING;
  const sql = `${ROWS} AND uid IN (SELECT value FROM json_each(?)) ORDER BY uid`;
  const rows = (await tx.arrays(sql, owner, mailbox, JSON.stringify(uids))).map(toRow);
  const kept = keptCount(rules);
  // What was expunged meanwhile counts for what was to go.
  let surplus = kept === undefined ? 0 : Number(box['messages']) - kept;
  const victims: Victim[] = [];
  for (const row of rows)
    if (isOverAge(row, rules, now) || (surplus > 0 && isOverCount(row, firstKept))) {
      victims.push(row);
      surplus--;
    }
  await removeMessages(tx, { owner, mailbox }, victims);
  return amountOf(victims);
});
