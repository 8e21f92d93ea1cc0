// What is known of a message that goes to long lists: who has got it, and which lists are still to be expanded.
//
//   list_placed  keys of the targets that the message has: each account and each foreign address once, whatever lists of
//                whatever row lead to it. Kept as long as the message has queue rows
//   list_work    of one queue row that stands for a list: that list, as number 0, and those that were found in it, each once
//
// In, out  rows, in the transactions that accept a message and that expand a list
// Limits   TARGETS_MAX keys a row (expand-list.ts); FORGOTTEN_ROWS an operation that takes them away

import { idOf, type MessageId } from '../base/ids.ts';
import { operation, type Reader, type Transaction, type Value } from '../database/operation.ts';
import type { ListPart } from '../routing/list-members.ts';

/** A list to be expanded. */
export interface ListWork {
  /** The entry's id. */
  readonly list: number;
  readonly part: ListPart;
  /** Lists above it. */
  readonly depth: number;
}

/** Which of the keys are new; they are taken from now on. */
export async function takeKeys(tx: Transaction, message: MessageId, keys: readonly string[]): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const key of keys) {
    const inserted = await tx.run('INSERT OR IGNORE INTO list_placed (message, key) VALUES (?, ?)', message, key);
    if (inserted === 1) taken.add(key);
  }
  return taken;
}

export async function addWork(tx: Transaction, message: MessageId, root: number, work: ListWork): Promise<void> {
  await tx.run(
    `INSERT OR IGNORE INTO list_work (message, root, number, list, part, depth)
     SELECT ?1, ?2, (SELECT coalesce(max(number), -1) + 1 FROM list_work WHERE message = ?1 AND root = ?2), ?3, ?4, ?5`,
    message,
    root,
    work.list,
    work.part,
    work.depth,
  );
}

const WORK = 'SELECT list, part, depth FROM list_work WHERE message = ? AND root = ? AND number = ?';

/** Undefined behind the last one. */
export function readWork(reader: Reader, message: MessageId, root: number, number: number): ListWork | undefined {
  return workOf(reader.arrays(WORK, message, root, number));
}

export async function workIn(
  tx: Transaction,
  message: MessageId,
  root: number,
  number: number,
): Promise<ListWork | undefined> {
  return workOf(await tx.arrays(WORK, message, root, number));
}

function workOf([row]: Value[][]): ListWork | undefined {
  return row && { list: Number(row[0]), part: row[1] as ListPart, depth: Number(row[2]) };
}

/** A row that begins again finds its lists anew. */
export async function dropWork(tx: Transaction, message: MessageId, root: number): Promise<void> {
  await tx.run('DELETE FROM list_work WHERE message = ? AND root = ?', message, root);
}

const FORGOTTEN_ROWS = 5000;
const TABLES = ['list_placed', 'list_work'] as const;

/** The next message behind `after` that something is known of; undefined behind the last one. */
export function nextKnown(reader: Reader, after: number): MessageId | undefined {
  let next: number | undefined;
  for (const table of TABLES) {
    const found = reader.get(`SELECT min(message) AS message FROM ${table} WHERE message > ?`, after)?.['message'];
    if (typeof found === 'number') next = Math.min(found, next ?? found);
  }
  return next === undefined ? undefined : idOf<MessageId>(next);
}

/** Takes a slice of it away, where the message has no queue rows; gives whether there may be more. */
export const forgetLists = operation(
  'transfer.forgetLists',
  async (tx, { message }: { readonly message: MessageId }) => {
    if ((await tx.get('SELECT 1 FROM queue WHERE message = ? LIMIT 1', message)) !== undefined) return { more: false };
    let left = FORGOTTEN_ROWS;
    left -= await tx.run(
      'DELETE FROM list_placed WHERE message = ?1 AND key IN (SELECT key FROM list_placed WHERE message = ?1 LIMIT +?2)',
      message,
      left,
    );
    if (left > 0) await tx.run('DELETE FROM list_work WHERE message = ?', message);
    return { more: left === 0 };
  },
);
