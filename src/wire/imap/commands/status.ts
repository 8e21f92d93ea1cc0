// STATUS as a value. RFC 3501 §6.3.10

import type { ImapCursor } from '../grammar.ts';

const statusItems = ['MESSAGES', 'RECENT', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN'] as const;
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
  const items = new Set<StatusItem>();
  cursor.list(() => items.add(parseStatusItem(cursor)));
  if (items.size === 0) cursor.fail('a status item');
  cursor.end();
  return { name: 'STATUS', mailbox, items: [...items] };
}

function parseStatusItem(cursor: ImapCursor): StatusItem {
  const start = cursor.at;
  const word = cursor.word();
  const item = statusItems.find((one) => one === word);
  if (item !== undefined) return item;
  cursor.at = start;
  return cursor.fail('MESSAGES, RECENT, UIDNEXT, UIDVALIDITY or UNSEEN');
}
