// STATUS as a value. RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 7889 §5, RFC 8474 §4.3, RFC 9051 §6.3.11 (SIZE, DELETED), RFC 9208 §7

import type { ImapCursor } from '../grammar.ts';

const statusItems = [
  'MESSAGES',
  'RECENT',
  'UIDNEXT',
  'UIDVALIDITY',
  'UNSEEN',
  'SIZE',
  'DELETED',
  'DELETED-STORAGE',
  'APPENDLIMIT',
  'MAILBOXID',
  'HIGHESTMODSEQ',
] as const;
export type StatusItem = (typeof statusItems)[number];

export interface StatusCommand {
  readonly name: 'STATUS';
  readonly mailbox: string;
  /** In the client's order, each once. */
  readonly items: readonly StatusItem[];
}

export function parseStatus(cursor: ImapCursor): StatusCommand {
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.space();
  const items = parseStatusItems(cursor);
  cursor.end();
  return { name: 'STATUS', mailbox, items };
}

/** `(item item ...)`, each once. */
export function parseStatusItems(cursor: ImapCursor): readonly StatusItem[] {
  const items = new Set<StatusItem>();
  cursor.list(() => items.add(parseStatusItem(cursor)));
  if (items.size === 0) cursor.fail('a status item');
  return [...items];
}

function parseStatusItem(cursor: ImapCursor): StatusItem {
  const start = cursor.at;
  const word = cursor.word();
  const item = statusItems.find((one) => one === word);
  if (item !== undefined) return item;
  cursor.at = start;
  return cursor.fail(statusItems.join(', '));
}
