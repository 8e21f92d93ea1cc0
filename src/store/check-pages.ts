// What the checkers share: a problem as a value, rows a page at a time.

import { idText } from '../base/ids.ts';
import type { Row } from '../database/operation.ts';

export type StoreProblemName =
  | 'refs differ' // a message's counter is not the number of rows that refer to it
  | 'no segment row'
  | 'no segment file'
  | 'blob beyond file'
  | 'blob cannot be read'
  | 'record header' // not ours, or of another message
  | 'record checksum'
  | 'record hash'
  | 'codec'
  | 'reference to no message'
  | 'reference to no mailbox'
  | 'size differs'
  | 'no account'
  | 'no INBOX'
  | 'next mailbox'
  | 'counters differ'
  | 'uidnext'
  | 'mailbox modseq'
  | 'quota differs' // what the accounts of a domain hold together
  | 'no quota counter'
  | 'quota elsewhere'
  | 'counter behind'
  | 'row of nothing'; // of an account or a mailbox that does not exist

export interface CheckProblem<Name extends string = string> {
  readonly problem: Name;
  /** `message 4cty394th9`, `account 3 mailbox 1`. */
  readonly where: string;
  readonly detail: string;
}

/** Where it is, in numbers: for the repair. */
export interface ProblemPlace {
  readonly account?: number;
  readonly mailbox?: number;
  readonly uid?: number;
  readonly message?: number;
  readonly segment?: number;
  /** Of `quota_root`. */
  readonly root?: number;
  /** Of `counter`. */
  readonly counter?: string;
  readonly table?: string;
}

export interface StoreProblem extends CheckProblem<StoreProblemName> {
  readonly at: ProblemPlace;
}

export const PAGE = 2000;

/** Between two pages others have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** All rows of a statement with the key `after` and a limit as its last two parameters, a page at a time. */
export async function* pages(
  read: (after: number, limit: number) => Row[],
  keyOf: (row: Row) => number,
): AsyncGenerator<Row[]> {
  for (let after = 0; ; ) {
    const rows = read(after, PAGE);
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
    after = keyOf(rows[rows.length - 1]!);
    await nextTurn();
  }
}

export function messageName(id: unknown): string {
  return `message ${idText(Number(id))}`;
}
