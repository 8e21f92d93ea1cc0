// ENABLE: names of extensions, of which those that we do not know are passed over. RFC 5161 §3.1, RFC 9051 §6.3.1

import type { ImapCursor } from '../grammar.ts';

export interface EnableCommand {
  readonly name: 'ENABLE';
  /** In upper case, as the client named them. */
  readonly extensions: readonly string[];
}

export function parseEnable(cursor: ImapCursor): EnableCommand {
  const extensions: string[] = [];
  cursor.space();
  do extensions.push(cursor.word());
  while (cursor.trySpace());
  cursor.end();
  return { name: 'ENABLE', extensions };
}
