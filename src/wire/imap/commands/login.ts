// LOGIN as a value. RFC 3501 §6.2.3

import type { ImapCursor } from '../grammar.ts';

export interface LoginCommand {
  readonly name: 'LOGIN';
  /** Both as bytes in latin1; the password may hold any character. */
  readonly login: string;
  readonly password: string;
}

export function parseLogin(cursor: ImapCursor): LoginCommand {
  cursor.space();
  const login = cursor.astring();
  cursor.space();
  const password = cursor.astring();
  cursor.end();
  return { name: 'LOGIN', login, password };
}
