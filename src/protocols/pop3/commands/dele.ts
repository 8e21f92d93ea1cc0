// DELE: marked now, removed by QUIT. RFC 1939 §5

import type { Pop3Session } from '../session.ts';

export function dele(session: Pop3Session, message: number): void {
  session.maildrop.mark(message);
  session.ok(`Message ${message} is removed at QUIT`);
}
