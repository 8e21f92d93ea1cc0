// GETQUOTA, GETQUOTAROOT and SETQUOTA as values. RFC 9208 §4.1, §7

import type { ImapCursor } from '../grammar.ts';

export type QuotaCommand =
  | { readonly name: 'GETQUOTA' | 'SETQUOTA'; readonly root: string }
  | { readonly name: 'GETQUOTAROOT'; readonly mailbox: string };

const RESOURCES_MAX = 100;

/** The root as octets. */
export function parseGetQuota(cursor: ImapCursor): QuotaCommand & { readonly name: 'GETQUOTA' } {
  cursor.space();
  const root = cursor.astring();
  cursor.end();
  return { name: 'GETQUOTA', root };
}

export function parseGetQuotaRoot(cursor: ImapCursor): QuotaCommand & { readonly name: 'GETQUOTAROOT' } {
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.end();
  return { name: 'GETQUOTAROOT', mailbox };
}

/** What it would set is of no use: nobody may. */
export function parseSetQuota(cursor: ImapCursor): QuotaCommand & { readonly name: 'SETQUOTA' } {
  cursor.space();
  const root = cursor.astring();
  cursor.space();
  let count = 0;
  cursor.list(() => {
    if (++count > RESOURCES_MAX) cursor.fail(`at most ${RESOURCES_MAX} resources`);
    cursor.atom();
    cursor.space();
    cursor.number();
  });
  cursor.end();
  return { name: 'SETQUOTA', root };
}
