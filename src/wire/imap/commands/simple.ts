// The commands without arguments. RFC 3501 §6.1, §6.2.1, §6.4.1, §6.4.2, RFC 2177, RFC 2342 §5, RFC 3691 §2, RFC 8437 §6

import type { ImapCursor } from '../grammar.ts';

export type SimpleName =
  | 'CAPABILITY'
  | 'NOOP'
  | 'LOGOUT'
  | 'STARTTLS'
  | 'CHECK'
  | 'CLOSE'
  | 'UNSELECT'
  | 'NAMESPACE'
  | 'UNAUTHENTICATE'
  | 'IDLE';

export interface SimpleCommand<N extends SimpleName = SimpleName> {
  readonly name: N;
}

export function parseSimple<N extends SimpleName>(name: N): (cursor: ImapCursor) => SimpleCommand<N> {
  return (cursor) => {
    cursor.end();
    return { name };
  };
}
