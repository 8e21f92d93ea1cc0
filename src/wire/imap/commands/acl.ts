// The commands of access control lists as values. RFC 4314 §3.1 to §3.5

import type { ImapCursor } from '../grammar.ts';

export type AclCommand =
  | {
      readonly name: 'SETACL';
      /** In Unicode. */
      readonly mailbox: string;
      readonly identifier: string;
      readonly change: 'replace' | 'add' | 'remove';
      /** Letters, as they were written. */
      readonly rights: string;
    }
  | { readonly name: 'DELETEACL' | 'LISTRIGHTS'; readonly mailbox: string; readonly identifier: string }
  | { readonly name: 'GETACL' | 'MYRIGHTS'; readonly mailbox: string };

export function parseSetAcl(cursor: ImapCursor): AclCommand & { readonly name: 'SETACL' } {
  const { mailbox, identifier } = target(cursor);
  cursor.space();
  const text = cursor.astring();
  cursor.end();
  const sign = text[0];
  const change = sign === '+' ? 'add' : sign === '-' ? 'remove' : 'replace';
  return { name: 'SETACL', mailbox, identifier, change, rights: change === 'replace' ? text : text.slice(1) };
}

export function parseIdentified<N extends 'DELETEACL' | 'LISTRIGHTS'>(
  name: N,
): (cursor: ImapCursor) => AclCommand & { readonly name: N } {
  return (cursor) => {
    const { mailbox, identifier } = target(cursor);
    cursor.end();
    return { name, mailbox, identifier } as AclCommand & { readonly name: N };
  };
}

export function parseOfMailbox<N extends 'GETACL' | 'MYRIGHTS'>(
  name: N,
): (cursor: ImapCursor) => AclCommand & { readonly name: N } {
  return (cursor) => {
    cursor.space();
    const mailbox = cursor.mailbox();
    cursor.end();
    return { name, mailbox } as AclCommand & { readonly name: N };
  };
}

function target(cursor: ImapCursor): { readonly mailbox: string; readonly identifier: string } {
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.space();
  return { mailbox, identifier: cursor.astring() };
}
