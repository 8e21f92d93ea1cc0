// AUTHENTICATE as a value. RFC 3501 §6.2.2: without an initial response, which RFC 4959 adds and we don't offer.

import type { ImapCursor } from '../grammar.ts';

export interface AuthenticateCommand {
  readonly name: 'AUTHENTICATE';
  /** In upper case. */
  readonly mechanism: string;
}

export function parseAuthenticate(cursor: ImapCursor): AuthenticateCommand {
  cursor.space();
  const mechanism = cursor.word();
  cursor.end();
  return { name: 'AUTHENTICATE', mechanism };
}
