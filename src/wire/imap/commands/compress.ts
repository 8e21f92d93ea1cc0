// COMPRESS as a value. RFC 4978 §3

import type { ImapCursor } from '../grammar.ts';

export interface CompressCommand {
  readonly name: 'COMPRESS';
  /** In upper case. */
  readonly mechanism: string;
}

export function parseCompress(cursor: ImapCursor): CompressCommand {
  cursor.space();
  const mechanism = cursor.word();
  cursor.end();
  return { name: 'COMPRESS', mechanism };
}
