// Which mailboxes are meant: filter-mailboxes of ESEARCH and NOTIFY. RFC 5465 §6 §8, RFC 7377 §4

import type { ImapCursor } from './grammar.ts';

const kinds = ['SELECTED', 'INBOXES', 'PERSONAL', 'SUBSCRIBED'] as const;
const namingKinds = ['SUBTREE', 'SUBTREE-ONE', 'MAILBOXES'] as const;

export type MailboxFilter =
  | { readonly kind: (typeof kinds)[number] }
  /** Names in Unicode, as the cursor gives them. */
  | { readonly kind: (typeof namingKinds)[number]; readonly names: readonly string[] };

const NAMES_MAX = 1000;

export function parseMailboxFilter(cursor: ImapCursor): MailboxFilter {
  const start = cursor.at;
  const word = cursor.word();
  const kind = kinds.find((one) => one === word);
  if (kind !== undefined) return { kind };
  const naming = namingKinds.find((one) => one === word);
  if (naming === undefined) {
    cursor.at = start;
    return cursor.fail('mailboxes');
  }
  cursor.space();
  const names = cursor.peek() === 0x28 ? cursor.list(() => cursor.mailbox()) : [cursor.mailbox()];
  if (names.length === 0 || names.length > NAMES_MAX) cursor.fail(`1 to ${NAMES_MAX} mailboxes`);
  return { kind: naming, names };
}
