// STORE and UID STORE as values. RFC 3501 §6.4.6, RFC 7162 §3.1.3

import { flagList, flags } from '../flags.ts';
import type { ImapCursor } from '../grammar.ts';
import type { Flags, NumberSet } from '../values.ts';

export interface StoreCommand {
  readonly name: 'STORE';
  readonly byUid: boolean;
  readonly messages: NumberSet;
  readonly mode: 'replace' | 'add' | 'remove';
  readonly silent: boolean;
  readonly flags: Flags;
  /** Only messages that have not changed above this modseq. */
  readonly unchangedSince: number | undefined;
}

export function parseStore(cursor: ImapCursor, byUid: boolean): StoreCommand {
  cursor.space();
  const messages = cursor.numberSet(byUid);
  cursor.space();
  const unchangedSince = cursor.tryTake('(') ? parseUnchangedSince(cursor) : undefined;
  const mode = cursor.tryTake('+') ? 'add' : cursor.tryTake('-') ? 'remove' : 'replace';
  if (!cursor.tryWord('FLAGS')) cursor.fail('FLAGS, +FLAGS or -FLAGS');
  const silent = cursor.tryWord('.SILENT');
  cursor.space();
  const value = cursor.peek() === 0x28 ? flagList(cursor) : flags(cursor);
  cursor.end();
  return { name: 'STORE', byUid, messages, mode, silent, flags: value, unchangedSince };
}

function parseUnchangedSince(cursor: ImapCursor): number {
  if (!cursor.tryWord('UNCHANGEDSINCE ')) cursor.fail('UNCHANGEDSINCE');
  const modseq = cursor.modSequence();
  cursor.take(')');
  cursor.space();
  return modseq;
}
