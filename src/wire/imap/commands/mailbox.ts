// The commands whose one argument is a mailbox. RFC 3501 §6.3.4, §6.3.6, §6.3.7

import type { ImapCursor } from '../grammar.ts';

export type MailboxCommandName = 'DELETE' | 'SUBSCRIBE' | 'UNSUBSCRIBE';

export interface MailboxCommand<N extends MailboxCommandName = MailboxCommandName> {
  readonly name: N;
  /** In Unicode. */
  readonly mailbox: string;
}

export function parseMailbox<N extends MailboxCommandName>(name: N): (cursor: ImapCursor) => MailboxCommand<N> {
  return (cursor) => {
    cursor.space();
    const mailbox = cursor.mailbox();
    cursor.end();
    return { name, mailbox };
  };
}
