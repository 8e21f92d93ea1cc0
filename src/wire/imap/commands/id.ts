// ID as a value. RFC 2971 §3.3: at most 30 pairs, fields of 30 and values of 1024 octets.

import type { ImapCursor } from '../grammar.ts';

export interface IdCommand {
  readonly name: 'ID';
  /** Names in lower case; empty for NIL. A Map, since the names are a stranger's. */
  readonly parameters: ReadonlyMap<string, string | undefined>;
}

const PAIRS_MAX = 30;
const FIELD_BYTES = 30;
const VALUE_BYTES = 1024;

export function parseId(cursor: ImapCursor): IdCommand {
  cursor.space();
  const parameters = new Map<string, string | undefined>();
  if (!cursor.tryWord('NIL')) cursor.list(() => parsePair(cursor, parameters));
  cursor.end();
  return { name: 'ID', parameters };
}

function parsePair(cursor: ImapCursor, parameters: Map<string, string | undefined>): void {
  const field = cursor.string().toLowerCase();
  if (field.length > FIELD_BYTES) cursor.fail(`a field of at most ${FIELD_BYTES} octets`);
  cursor.space();
  const value = cursor.nstring();
  if (value !== undefined && value.length > VALUE_BYTES) cursor.fail(`a value of at most ${VALUE_BYTES} octets`);
  if (parameters.size >= PAIRS_MAX) cursor.fail(`at most ${PAIRS_MAX} pairs`);
  parameters.set(field, value);
}
