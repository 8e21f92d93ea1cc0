// AUTHENTICATE as a value. RFC 3501 §6.2.2, RFC 4959 §3 (the initial response)

import type { ImapCursor } from '../grammar.ts';

export interface AuthenticateCommand {
  readonly name: 'AUTHENTICATE';
  /** In upper case. */
  readonly mechanism: string;
  /** As written: base64, or `=` for an empty one. */
  readonly initial: string | undefined;
}

export function parseAuthenticate(cursor: ImapCursor): AuthenticateCommand {
  cursor.space();
  const mechanism = cursor.word();
  const initial = cursor.tryTake(' ') ? cursor.rest() : undefined;
  cursor.end();
  return { name: 'AUTHENTICATE', mechanism, initial };
}
