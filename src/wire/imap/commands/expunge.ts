// EXPUNGE and UID EXPUNGE as values. RFC 3501 §6.4.3, RFC 4315 §2.1

import type { ImapCursor } from '../grammar.ts';
import type { NumberSet } from '../values.ts';

export interface ExpungeCommand {
  readonly name: 'EXPUNGE';
  /** Undefined for plain EXPUNGE: then every message marked \Deleted is meant. */
  readonly uids: NumberSet | undefined;
}

export function parseExpunge(cursor: ImapCursor, byUid: boolean): ExpungeCommand {
  let uids: NumberSet | undefined;
  if (byUid) {
    cursor.space();
    uids = cursor.uidSet();
  }
  cursor.end();
  return { name: 'EXPUNGE', uids };
}
